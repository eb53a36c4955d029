"""Which entities came together, without a mark on any of them.

SQLAlchemy numbers each run of a statement, and keeps with each entity the number of the run that brought it. So the
group of an entity is found when it is first asked for, by looking through its session, some 80 ns for each entity
there; an entity that never loads lazily pays nothing, and nothing holds what the session has let go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy.orm import InstanceState, Session

from dal.lazy_loading import MAX_GROUP, MAX_GROUP_INFO
from dal.loading.ways import run_of

State: TypeAlias = InstanceState[Any]


def siblings(session: Session, state: State, lacks: Callable[[State], bool]) -> list[State]:
    """Give those that came with *state* and that *lacks* is true of, from *state* on; not too many.

    Those that were read one by one, by `get` or `refresh`, belong together too.
    """
    states = session.identity_map.all_states()
    run = run_of(state)
    group = [each for each in states if run_of(each) == run]
    if len(group) == 1 and run is not None:
        runs = Counter(map(run_of, states))
        group = [each for each in states if runs[run_of(each)] == 1]
    alike = [each for each in group if each is state or (_is_like(each, state) and lacks(each))]
    return _from(state, alike, session.info.get(MAX_GROUP_INFO, MAX_GROUP))


def _is_like(state: State, other: State) -> bool:
    """Tell whether the options with which both came say the same of them."""
    options = state.load_options
    return (
        not state.deleted
        and state.obj() is not None
        and options == other.load_options
        and (not options or state.load_path == other.load_path)
    )


def _from(state: State, group: list[State], at_most: int) -> list[State]:
    if len(group) <= at_most:
        return group
    # Who goes through a list asks for the next ones next.
    at = group.index(state)
    return (group[at:] + group[:at])[:at_most]
