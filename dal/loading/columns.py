"""Columns that an entity lacks, deferred or expired, are read for all that came with it.

Refuses: `session.refresh`, which is asked for one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstanceState, Mapper, Session, load_only
from sqlalchemy.util.concurrency import in_greenlet

from dal.lazy_loading import INFO
from dal.loading.keys import in_keys, keys_at_once
from dal.loading.siblings import siblings
from dal.loading.turns import turn
from dal.loading.unloaded import columns_not_loaded
from dal.loading.ways import autoflush

State = InstanceState[Any]


def answer_columns(session: Session, state: State, names: Collection[str], alone: Callable[[], Any]) -> Any:
    """Read the columns *names*, which *state* lacks, for all that came with it, or by *alone*."""
    if session.info.get(INFO, "off") == "off" or state.key is None:
        return alone()
    if not in_greenlet():
        raise columns_not_loaded(state, names)
    with turn(session):
        autoflush(session)
        columns = frozenset(names) & {prop.key for prop in state.mapper.column_attrs}
        _load(session, state, columns)
        # That a row is gone is SQLAlchemy's to find.
        return alone() if columns & state.unloaded else None


def _load(session: Session, state: State, columns: frozenset[str]) -> None:
    lacked = columns & state.unloaded
    if not lacked:
        return  # the task before has read them
    mapper = state.mapper
    group = siblings(session, state, lambda other: other.mapper is mapper and bool(lacked & other.unloaded))
    held = [each.obj() for each in group]  # until they are loaded
    if len(group) > 1:
        _read(session, mapper, group, lacked)
    del held


def _read(session: Session, mapper: Mapper[Any], states: Sequence[State], names: Collection[str]) -> None:
    attributes = [mapper.class_manager[name] for name in names]
    chunk = keys_at_once(mapper.primary_key)
    for start in range(0, len(states), chunk):
        identities = [state.key[1] for state in states[start : start + chunk] if state.key is not None]
        criterion, parameters = in_keys(mapper.primary_key, identities)
        statement = select(mapper.class_).where(criterion).options(load_only(*attributes))
        session.execute(statement, parameters, execution_options={"autoflush": False}).unique().all()
