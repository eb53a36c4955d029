"""Which entities came together, without a mark on any of them.

SQLAlchemy numbers each run of a statement, and keeps with each entity the number of the run that brought it. So the
group of an entity is found when it is first asked for, by looking through its session, some 80 ns for each entity
there; an entity that never loads lazily pays nothing, and nothing holds what the session has let go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy.orm import InstanceState, Session

from dal.lazy_loading import MAX_GROUP, MAX_GROUP_INFO
from dal.loading.ways import newest, runs_of

State: TypeAlias = InstanceState[Any]

# In a session's `info`: how many more of its entities may be looked at than those that were loaded have paid for.
_CREDIT: Final = "dal_looks"
# So many looks are paid for by each entity that is loaded: a fifth of the time that its own statement would take.
_LOOKS: Final = 1_000


def siblings(session: Session, state: State, lacks: Callable[[State], bool]) -> list[State]:
    """Give those that came with *state* and that *lacks* is true of, from *state* on; not too many.

    Those that were read one by one, by `get` or `refresh`, belong together too. In a session of many thousands where
    looking through all of them brought little, the next times only the newest are looked at.
    """
    credit: int = session.info.get(_CREDIT, 0)
    states = newest(session, _LOOKS // 2) if credit < 0 else session.identity_map.all_states()
    together = _together(states, state)
    group = [each for each in together if each is state or (_is_like(each, state) and lacks(each))]
    session.info[_CREDIT] = credit - len(states) + _LOOKS * len(group)
    return _from(state, group)[: session.info.get(MAX_GROUP_INFO, MAX_GROUP)]


def _from(state: State, group: list[State]) -> list[State]:
    """Begin with *state*, though it is not among the newest: who goes through a list asks for the next ones next."""
    own = group if state in group else [state, *group]
    at = own.index(state)
    return own[at:] + own[:at]


def _together(states: Sequence[State], state: State) -> Sequence[State]:
    (run,) = runs_of([state])
    runs = runs_of(states)
    if runs.count(run) > 1 or run is None:
        return [each for each, its in zip(states, runs, strict=True) if its == run]
    count = Counter(runs)
    return [each for each, its in zip(states, runs, strict=True) if count[its] == 1]


def _is_like(state: State, other: State) -> bool:
    """Tell whether the options with which both came say the same of them."""
    options = state.load_options
    return (
        not state.deleted
        and state.obj() is not None
        and options == other.load_options
        and (not options or state.load_path == other.load_path)
    )
