"""What is said of a relationship that nobody loaded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import InstanceState, RelationshipProperty

from dal.call_site import CallSite
from dal.errors import NotLoaded, NPlusOne


def not_loaded(state: InstanceState[Any], prop: RelationshipProperty[Any]) -> NotLoaded:
    """Say that it was read where nothing can load it: after its session's end, or without an await."""
    name = name_of(prop)
    if state.detached:
        return NotLoaded(
            f"{name} was not loaded and its entity is in no session any more: read it with {option_for(prop)}."
        )
    key = prop.key
    return NotLoaded(
        f"{name} was not loaded, and is read at {CallSite.here()} without an await: write `await entity."
        f"awaitable_attrs.{key}`, which loads it for all that came with this one, or read it with {option_for(prop)}."
    )


def columns_not_loaded(state: InstanceState[Any], names: Collection[str]) -> NotLoaded:
    """Say that columns that are deferred or expired were read without an await."""
    named = ", ".join(f"{state.class_.__name__}.{name}" for name in sorted(names))
    return NotLoaded(
        f"{named} was deferred or expired, and is read at {CallSite.here()} without an await: write `await entity."
        f"awaitable_attrs.{min(names)}`, or `await session.refresh(entity)` before."
    )


def forbidden(prop: RelationshipProperty[Any]) -> NotLoaded:
    """Say that it may not be loaded lazily."""
    return NotLoaded(
        f"{name_of(prop)} was not loaded, lazy='raise' forbids to load it now, and it is read at {CallSite.here()}: "
        f"read it with {option_for(prop)}."
    )


def n_plus_one(prop: RelationshipProperty[Any], others: int) -> NPlusOne:
    """Say that it was loaded for one of several, and now for a second one."""
    return NPlusOne(
        f"{name_of(prop)} is loaded a second time, for another of {others + 1} that came together, at "
        f"{CallSite.here()}: each would be a statement. Read it with {option_for(prop)}."
    )


def name_of(prop: RelationshipProperty[Any]) -> str:
    """Give the class and the attribute."""
    return f"{prop.parent.class_.__name__}.{prop.key}"


def option_for(prop: RelationshipProperty[Any]) -> str:
    """Give the option that loads it, as it is written."""
    loader = "selectinload" if prop.uselist else "joinedload"
    return f"options=[{loader}({name_of(prop)})]"
