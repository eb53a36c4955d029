"""How the values of a column travel: as which type, in an array or not, and what Python does to them before.

Pure but for the dialect's types. Types are sent without their lengths and scales: the assignment to the column checks
them, while a cast would cut off silently what is too long.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Dialect, TypeDecorator, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.type_api import TypeEngine

from dal.errors import WriteError

_TEXT: Final = "TEXT"
_MODIFIER: Final = re.compile(r"\s*\([\d, ]+\)")
# Of these asyncpg writes single values and arrays alike.
_SCALARS: Final = (
    types.Integer,
    types.Numeric,
    types.Boolean,
    types.Date,
    types.DateTime,
    types.Time,
    types.Uuid,
    types.LargeBinary,
    types.JSON,
    postgresql.INTERVAL,
    postgresql.INET,
    postgresql.CIDR,
    postgresql.OID,
    postgresql.ranges.AbstractSingleRange,
)
# Of these it knows no binary form, or would have to look it up first.
_AS_TEXT: Final = (types.Enum, postgresql.CITEXT, postgresql.MACADDR, postgresql.MACADDR8)


@dataclass(frozen=True, slots=True)
class Wire:
    """`spec` is the type to send as; `cast` says that an assignment alone does not turn it into the column's."""

    spec: str
    cast: bool = False
    in_array: bool = True


def wire_of(column: Column[Any], values: list[Any], dialect: Dialect) -> Wire:
    """Choose how to send *values*, which are bound already; they tell for types that are not SQLAlchemy's own."""
    kind = _kind_of(column.type, dialect)
    spec = kind.compile(dialect=dialect)
    if isinstance(kind, types.CHAR) or (isinstance(kind, types.Uuid) and not kind.native_uuid):
        return Wire("BPCHAR")
    if isinstance(kind, _AS_TEXT):
        return Wire(_TEXT, cast=not isinstance(kind, types.Enum) or kind.native_enum)
    if isinstance(kind, types.String):
        return Wire(_TEXT)
    if isinstance(kind, (*_SCALARS, postgresql.BIT)):
        return Wire(_without_lengths(spec))
    sample = next((value for value in values if value is not None), None)
    if isinstance(sample, str):
        return Wire(_TEXT, cast=True)
    return Wire(_without_lengths(spec), in_array=False)


def bound(column: Column[Any], values: list[Any], dialect: Dialect) -> list[Any]:
    """Do to each value what SQLAlchemy does before it sends one: Enum, JSON, TypeDecorator and the like."""
    process: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return values
    taken: list[Any] = []
    try:
        taken.extend(map(process, values))
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        # Not from the error: its words may hold the value.
        raise WriteError(
            f"row {len(taken) + 1} has a value that the type of {column.name!r} does not take: {type(error).__name__} "
            f"in {type(column.type).__name__}. Nothing was written."
        ) from None
    return taken


def _kind_of(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """See through decorators and domains."""
    kind = type_.dialect_impl(dialect)
    while isinstance(kind, TypeDecorator | postgresql.DOMAIN):
        inner = kind.impl_instance if isinstance(kind, TypeDecorator) else kind.data_type
        kind = inner.dialect_impl(dialect)
    return kind


def _without_lengths(spec: str) -> str:
    # CHAR and BIT without a length would have the length 1.
    bare = _MODIFIER.sub("", spec)
    return re.sub(r"\bCHAR\b", "BPCHAR", re.sub(r"\bBIT(?! VARYING)\b", "BIT VARYING", bare))
