"""What `dal.loading.strategies` does, by SQLAlchemy's public API alone: for a release whose private parts are others.

Slower by a statement for each load, and by chunks of 500 keys where selectinload sends its own. A relationship of a
detached entity raises SQLAlchemy's `DetachedInstanceError`; lazy="raise" also forbids what a cascade would load;
columns are SQLAlchemy's own to load.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, event, select
from sqlalchemy.engine import IteratorResult, Result
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.orm import (
    InstanceState,
    LoaderCriteriaOption,
    ORMExecuteState,
    QueryableAttribute,
    RelationshipProperty,
    Session,
    load_only,
    selectinload,
)
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.orm.interfaces import ORMOption, UserDefinedOption

from dal.loading.asking import Answers
from dal.loading.keys import in_keys, keys_at_once
from dal.session import TellingSession

State: TypeAlias = InstanceState[Any]

# Options of this module's, which what it reads keeps, and which limit nothing.
_own: set[ORMOption] = set()


def watch(answers: Answers) -> None:
    """Have the lazy loads of dal's sessions ask *answers* what to do."""
    event.listen(TellingSession, "do_orm_execute", partial(_on_execute, answers))


def _on_execute(answers: Answers, execution: ORMExecuteState) -> Result[Any] | None:
    state, path = execution.lazy_loaded_from, execution.loader_strategy_path
    if state is None or path is None:
        return None
    elements: Any = path
    prop = next(each for each in reversed(elements) if isinstance(each, RelationshipProperty))
    # What is loaded already is asked for by its history.
    if prop.key in state.dict or state.key is None:
        return None
    found = answers.relationship(
        execution.session,
        state,
        prop,
        alone=execution.invoke_statement,
        together=lambda states: None if _may_be_limited(state) else load_relationship(prop, states),
    )
    return _result(prop, state) if found is None else found


def _result(prop: RelationshipProperty[Any], state: State) -> Result[Any]:
    value = state.dict[prop.key]
    entities = collection_adapter(value) if prop.uselist else () if value is None else (value,)
    return IteratorResult(SimpleResultMetaData(["entity"]), iter([(entity,) for entity in entities]))


def runs_of(states: Sequence[State]) -> list[int | None]:
    """Give None for each: all of a class that a session holds came together."""
    return [None] * len(states)


def autoflush(session: Session) -> None:
    """Write pending changes."""
    if session.autoflush:
        session.flush()


def limit_of(state: State, prop: RelationshipProperty[Any]) -> Any:
    """Give None: what an option such as `lazyload(Order.lines.and_(...))` limits is loaded one by one."""
    del state, prop


def newest(session: Session, most: int) -> list[State]:
    """Give all that the session holds: in no order that a public name tells."""
    del most
    return list(session.identity_map.all_states())


def criterion_of(attribute: QueryableAttribute[Any]) -> ColumnElement[bool] | None:
    """Refuse what `Order.lines.and_(...)` says, which no public name tells."""
    if not attribute.expression.compare(attribute.property.class_attribute.expression):
        raise TypeError(f"{attribute} is limited: with this SQLAlchemy, load it by options= of a read.")
    return None


def load_relationship(
    prop: RelationshipProperty[Any],
    states: Sequence[State],
    *,
    criterion: ColumnElement[bool] | None = None,
    force: bool = False,
) -> None:
    """Load *prop* for all *states* by reading their keys again, with selectinload."""
    (session,) = {state.session for state in states}
    assert session is not None  # noqa: S101 # for who asks
    missing = [state for state in states if force or prop.key not in state.dict]
    for state in missing if force else ():
        session.expire(state.obj(), [prop.key])
    mapper = prop.parent
    options = _options(prop) if criterion is None else (selectinload(prop.class_attribute.and_(criterion)),)
    at_once = keys_at_once(mapper.primary_key)
    for start in range(0, len(missing), at_once):
        chunk = missing[start : start + at_once]
        is_asked, parameters = in_keys(mapper.primary_key, [state.key[1] for state in chunk if state.key is not None])
        statement = select(mapper.class_).where(is_asked).options(*options, *_kept(chunk[0]))
        session.execute(statement, parameters, execution_options={"autoflush": False}).unique().all()


@cache
def _options(prop: RelationshipProperty[Any]) -> Sequence[ORMOption]:
    mapper = prop.parent
    keys = [mapper.get_property_by_column(column).class_attribute for column in mapper.primary_key]
    options = load_only(*keys), selectinload(prop.class_attribute)
    _own.update(options)
    return options


def _kept(state: State) -> Sequence[ORMOption]:
    """Give the options that hold wherever an entity comes from."""
    return [each for each in state.load_options if isinstance(each, UserDefinedOption | LoaderCriteriaOption)]


def _may_be_limited(state: State) -> bool:
    """Tell whether an option says something that no public name tells."""
    return len(_kept(state)) < len([option for option in state.load_options if option not in _own])
