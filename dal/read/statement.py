"""What a read asks for, as SQLAlchemy's SELECT of an entity.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, inspect, select
from sqlalchemy.orm import DeclarativeBase

E = TypeVar("E", bound=DeclarativeBase)
T = TypeVar("T")


def select_where(
    model: type[E],
    where: Sequence[ColumnExpressionArgument[bool]],
    order_by: ColumnExpressionArgument[Any] | Sequence[ColumnExpressionArgument[Any]],
    limit: int | None,
) -> Select[E]:
    """Select the entities that satisfy every condition."""
    if limit is not None and (limit < 1 or limit % 1):
        raise ValueError(f"limit is {limit!r}; it must be an integer of at least 1, or None for all.")
    ordered = order_by if isinstance(order_by, Sequence) and not isinstance(order_by, str) else (order_by,)
    statement = _ranked(model, tuple(ordered), limit)
    return statement.where(*where) if where else statement


@lru_cache(maxsize=1000)
def _ranked(model: Any, order_by: tuple[Any, ...], limit: int | None) -> Select[Any]:
    """Make what most calls have in common once, where its parts are the same objects: half of what a SELECT takes."""
    return select(model).order_by(*order_by).limit(limit)


def has_identity(model: type[Any], identity: Any) -> Sequence[ColumnElement[bool]]:
    """Give the conditions for one entity by its primary key, as `get` takes it."""
    if isinstance(identity, dict):
        return [getattr(model, name) == value for name, value in identity.items()]
    values = identity if isinstance(identity, tuple) else (identity,)
    return [column == value for column, value in zip(inspect(model).primary_key, values, strict=True)]


def key_words(model: type[Any]) -> str:
    """Name the columns of the primary key."""
    return ", ".join(column.name for column in inspect(model).primary_key)
