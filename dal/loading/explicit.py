"""Relationships and columns that are loaded after the fact, because the application says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import DeclarativeBase, InstanceState, Mapper, QueryableAttribute, RelationshipProperty, Session
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.util.concurrency import greenlet_spawn

from dal.errors import NotLoaded
from dal.lazy_loading import relationship_of
from dal.loading.plan import Plan
from dal.loading.turns import turn
from dal.loading.ways import autoflush, load_relationship

E = TypeVar("E", bound=DeclarativeBase)


async def load(entities: E | Iterable[E], *attributes: QueryableAttribute[Any] | Plan, force: bool = False) -> None:
    """Load relationships of entities of a unit of work: one statement for each, and ten thousand entities.

    An attribute of a class that those before lead to is loaded for all that were reached:
    `load(orders, Order.lines, OrderLine.part)`; a relationship to the class itself, named twice, is loaded two levels
    deep. What is loaded already, and what is changed and not yet written, stays, unless *force*. Raises `NotLoaded` for
    an entity without a session, `TypeError` for an attribute that is no relationship, or of a class that is not there.
    """
    given = [entities] if isinstance(entities, DeclarativeBase) else list(entities)
    named = [one for each in attributes for one in (each.attributes if isinstance(each, Plan) else (each,))]
    relationships = [relationship_of(each) for each in named]
    if given:
        states = [inspect(each) for each in given]
        _refuse_unreached({state.mapper for state in states}, relationships)
        await greenlet_spawn(_load, _session_of(states), states, relationships, force=force)


def _session_of(states: Sequence[InstanceState[Any]]) -> Session:
    sessions = {state.session for state in states}
    (session, *others) = sessions
    if session is None or others or not all(state.persistent for state in states):
        raise NotLoaded(
            f"{states[0].class_.__name__} entities are loaded in the session that they belong to, and "
            f"{'these belong to several' if others else 'its is over'}: load them in one unit of work, or read them "
            "with options=[...]."
        )
    return session


def _refuse_unreached(mappers: set[Mapper[Any]], relationships: Sequence[RelationshipProperty[Any]]) -> None:
    for prop in relationships:
        if not any(mapper.isa(prop.parent) or prop.parent.isa(mapper) for mapper in mappers):
            reached = ", ".join(sorted(mapper.class_.__name__ for mapper in mappers))
            raise TypeError(
                f"{prop} is of {prop.parent.class_.__name__}, and what is loaded is {reached}: name the relationship "
                "that leads there before it."
            )
        mappers = mappers | {prop.mapper}


def _load(
    session: Session,
    states: Sequence[InstanceState[Any]],
    relationships: Sequence[RelationshipProperty[Any]],
    *,
    force: bool,
) -> None:
    known = list(states)
    with turn(session):
        autoflush(session)
        for left, prop in zip(range(len(relationships) - 1, -1, -1), relationships, strict=True):
            own = [state for state in known if state.mapper.isa(prop.parent)]
            for group in _alike(own):
                load_relationship(prop, group, force=force)
            if left:
                known += _reached(own, prop)


def _alike(states: Sequence[InstanceState[Any]]) -> Iterable[Sequence[InstanceState[Any]]]:
    """Part them by the options that they came with, which hold for what is loaded after."""
    groups: list[list[InstanceState[Any]]] = []
    for state in states:
        for group in groups:
            if _is_alike(group[0], state):
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
