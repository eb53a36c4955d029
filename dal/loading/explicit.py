"""Relationships and columns that are loaded after the fact, because the application says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, inspect
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute, RelationshipProperty, Session
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.util.concurrency import greenlet_spawn

from dal.errors import NotLoaded
from dal.lazy_loading import relationship_of
from dal.loading.plan import Plan
from dal.loading.turns import turn
from dal.loading.ways import autoflush, criterion_of, limit_of, load_relationship


async def load(entities: object, *attributes: QueryableAttribute[Any] | Plan, force: bool = False) -> None:
    """Load relationships of one entity or several of a unit of work: a statement for each, and ten thousand entities.

    An attribute of a class that those before lead to is loaded for all that were reached:
    `load(orders, Order.lines, OrderLine.part)`; a relationship to the class itself, named twice, is loaded two levels
    deep; `Order.lines.and_(OrderLine.quantity > 1)` loads those lines. What is loaded already, and what is changed and
    not yet written, stays, unless *force*. Raises `NotLoaded` for an entity without a session, or without a row,
    `TypeError` for an attribute that is no relationship, or of a class that is not there.
    """
    states = _states_of(entities)
    named = [one for each in attributes for one in (each.attributes if isinstance(each, Plan) else (each,))]
    steps = [_Step(relationship_of(each), criterion_of(each)) for each in named]
    if states:
        _refuse_unreached({state.mapper for state in states}, [step.prop for step in steps])
        await greenlet_spawn(_load, _session_of(states), states, steps, force=force)


class _Step(NamedTuple):
    prop: RelationshipProperty[Any]
    criterion: ColumnElement[bool] | None


def _states_of(entities: Any) -> list[InstanceState[Any]]:
    one = inspect(entities, raiseerr=False)
    states = [one] if one is not None else [inspect(each, raiseerr=False) for each in entities]
    for state in states:
        if not isinstance(state, InstanceState):
            raise TypeError("load takes an entity, or several: load(orders, Order.lines).")
    return states


def _session_of(states: Sequence[InstanceState[Any]]) -> Session:
    sessions = {state.session for state in states}
    (session, *others) = sessions
    if session is None or others or not all(state.persistent for state in states):
        raise NotLoaded(
            f"{states[0].class_.__name__} entities are loaded in the session that they belong to, and "
            f"{_why_not(session, others)}: load them in one unit of work, or read them with options=[...]."
        )
    return session


def _why_not(session: Session | None, others: Sequence[Any]) -> str:
    if others:
        return "these belong to several"
    return "they are in none any more" if session is None else "these are not flushed yet"


def _refuse_unreached(mappers: set[Mapper[Any]], relationships: Sequence[RelationshipProperty[Any]]) -> None:
    for prop in relationships:
        if not any(mapper.isa(prop.parent) or prop.parent.isa(mapper) for mapper in mappers):
            reached = ", ".join(sorted(mapper.class_.__name__ for mapper in mappers))
            raise TypeError(
                f"{prop} is of {prop.parent.class_.__name__}, and what is loaded is {reached}: name the relationship "
                "that leads there before it."
            )
        mappers = mappers | {prop.mapper}


def _load(session: Session, states: Sequence[InstanceState[Any]], steps: Sequence[_Step], *, force: bool) -> None:
    known = list(states)
    with turn(session):
        autoflush(session)
        for left, (prop, criterion) in zip(range(len(steps) - 1, -1, -1), steps, strict=True):
            own = [state for state in known if state.mapper.isa(prop.parent)]
            for group in _alike(own, prop):
                load_relationship(prop, group, criterion=criterion, force=force)
            if left:
                known += _reached(own, prop)


def _alike(
    states: Sequence[InstanceState[Any]], prop: RelationshipProperty[Any]
) -> Iterable[Sequence[InstanceState[Any]]]:
    """Part them by the options that they came with, which hold for what is loaded after."""
    groups: list[list[InstanceState[Any]]] = []
    for state in states:
        for group in groups:
            if _is_alike(group[0], state) and limit_of(group[0], prop) is limit_of(state, prop):
                group.append(state)
                break
        else:
            groups.append([state])
    return groups


def _is_alike(one: InstanceState[Any], other: InstanceState[Any]) -> bool:
    # Those of one statement have the same objects, and to compare two paths takes 2 us.
    return (one.load_options is other.load_options or one.load_options == other.load_options) and (
        one.load_path is other.load_path or one.load_path == other.load_path
    )


def _reached(states: Sequence[InstanceState[Any]], prop: RelationshipProperty[Any]) -> list[InstanceState[Any]]:
    values = [state.dict[prop.key] for state in states if state.dict.get(prop.key) is not None]
    entities = chain.from_iterable(map(collection_adapter, values)) if prop.uselist else values
    return list({id(entity): inspect(entity) for entity in entities}.values())
