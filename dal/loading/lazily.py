"""What a lazy load does in each mode: alone, together with those that came with it, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy.orm import InstanceState, RelationshipProperty, Session
from sqlalchemy.util.concurrency import in_greenlet

from dal.call_site import CallSite, application_line
from dal.lazy_loading import mode_of
from dal.loading.siblings import siblings
from dal.loading.turns import turn
from dal.loading.unloaded import forbidden, n_plus_one, name_of, not_loaded, option_for
from dal.loading.ways import autoflush, limit_of, runs_of

State: TypeAlias = InstanceState[Any]

_log: Final = logging.getLogger("dal.loading")
# In a session's `info`: for which entity of which run a relationship was loaded, of the last ones.
_ALONE: Final = "dal_loaded_alone"
_REMEMBERED: Final = 1_000
# The lines that were warned of; there are no more than the application has.
_warned: Final[set[Any]] = set()


def answer(
    session: Session,
    state: State,
    prop: RelationshipProperty[Any],
    *,
    alone: Callable[[], Any],
    together: Callable[[Sequence[State]], None],
) -> Any:
    """Load *prop* of *state* as its mode says, by *alone* or *together*, and give what that gives."""
    mode = mode_of(session, state, prop)
    if mode == "off":
        return alone()
    if mode == "raise":
        raise forbidden(prop)
    if not in_greenlet():
        raise not_loaded(state, prop)
    with turn(session):
        if prop.key in state.dict:
            return None  # by the task before
        autoflush(session)
        limit = limit_of(state, prop)
        group = siblings(session, state, lambda other: _lacks(other, prop) and limit_of(other, prop) is limit)
        held = [each.obj() for each in group]  # until they are loaded
        if mode == "raise_n_plus_one":
            return _once(session, state, prop, len(group), alone)
        if len(group) == 1:
            return alone()
        if mode == "warn":
            _warn(prop, len(group))
        together(group)
        del held
        return None if prop.key in state.dict else alone()


def _lacks(state: State, prop: RelationshipProperty[Any]) -> bool:
    return state.mapper.isa(prop.parent) and prop.key not in state.dict


def _once(session: Session, state: State, prop: RelationshipProperty[Any], size: int, alone: Callable[[], Any]) -> Any:
    """Load by *alone*, unless it did so for another one of *size* that lack it; the same one may load anew."""
    loaded: dict[Any, Any] = session.info.setdefault(_ALONE, {})
    one = (*runs_of([state]), prop)
    if loaded.get(one, state.key) != state.key:
        raise n_plus_one(prop, size)
    found = alone()
    if size > 1:
        loaded[one] = state.key
        if len(loaded) > _REMEMBERED:
            del loaded[next(iter(loaded))]
    return found


def _warn(prop: RelationshipProperty[Any], size: int) -> None:
    line = application_line()
    if (line, prop) not in _warned:
        _warned.add((line, prop))
        _log.warning(
            "%s was loaded lazily, for %s entities in one statement, at %s: read it with %s instead.",
            name_of(prop), size, CallSite.at(*line), option_for(prop),
        )  # fmt: skip
