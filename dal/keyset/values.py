"""How the value of an ordering's element travels: out of the server as text, and back as a value of the same order.

The server's own text form is what every type has, whatever it is in Python. Where that depends on the session's
settings another form is taken, so that a bookmark means the same in every session: dates and timestamps as in JSON,
floats by their bits. Values go back without lengths and scales: a cast to VARCHAR(4) or NUMERIC(10, 2) would cut or
round what an expression gives. Refuses: types without an order, and those whose text may not come back as it was.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Text, TypeDecorator, bindparam, cast, func, literal_column, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.postgresql.ranges import AbstractRange
from sqlalchemy.sql.type_api import TypeEngine

from dal.errors import KeysetError

DIALECT: Final = PGDialect()  # type: ignore[no-untyped-call] # SQLAlchemy's

_BY_JSON: Final = (types.Date, types.DateTime)
_OF_SETTINGS: Final = (*_BY_JSON, types.Float)
_REFUSED: Final[dict[type[TypeEngine[Any]], str]] = {
    types.NullType: "has no type that SQLAlchemy knows: give it one with type_coerce(), or with cast()",
    types.TupleType: "is several values: give them one by one",
    postgresql.MONEY: "is money, whose text depends on the session's lc_monetary: cast it to Numeric",
    postgresql.REGCLASS: "is a name that depends on the session's search_path: cast it to OID",
    postgresql.REGCONFIG: "is a name that depends on the session's search_path: cast it to OID",
}
_RANGES: Final = (
    postgresql.INT4RANGE,
    postgresql.INT8RANGE,
    postgresql.NUMRANGE,
    postgresql.INT4MULTIRANGE,
    postgresql.INT8MULTIRANGE,
    postgresql.NUMMULTIRANGE,
)


class _Named(types.UserDefinedType[Any]):
    """A type of PostgreSQL's that SQLAlchemy cannot name without a length."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


def carried_as(type_: TypeEngine[Any], argument: object) -> TypeEngine[Any]:
    """Give the type in which values of *type_* are compared; raises `KeysetError`, which names the *argument*."""
    kind = kind_of(type_)
    for refused, why in _REFUSED.items():
        if isinstance(kind, refused):
            raise KeysetError(f"{argument} {why}.")
    if isinstance(kind, types.JSON) and not isinstance(kind, postgresql.JSONB):
        raise KeysetError(f"{argument} is json, which has no order: order by one of its members, or cast it to JSONB.")
    if isinstance(kind, AbstractRange) and not isinstance(kind, _RANGES):
        raise KeysetError(
            f"{argument} is a range of dates, whose text depends on the session's DateStyle: order by its bounds, "
            "type_coerce(func.lower(...), ...) and type_coerce(func.upper(...), ...)."
        )
    if isinstance(kind, types.ARRAY):
        return types.ARRAY(_item_of(kind, argument))
    return _without_lengths(kind)


def text_of(expression: ColumnElement[Any], carried: TypeEngine[Any]) -> ColumnElement[str | None]:
    """Select the value as text; `told` makes of it what a bookmark holds."""
    if isinstance(carried, types.Float):
        sent = func.pg_catalog.float8send(cast(expression, carried))
        return func.pg_catalog.encode(sent, literal_column("'hex'"), type_=Text())
    if isinstance(carried, _BY_JSON):
        return cast(func.pg_catalog.to_json(expression).op("#>>")(literal_column("'{}'")), Text())
    return cast(expression, Text())


def told(text: str | None, carried: TypeEngine[Any]) -> str | None:
    """Give the text that `value_of` takes, of the one that `text_of` has selected."""
    if text is None or not isinstance(carried, types.Float):
        return text
    return repr(struct.unpack(">d", bytes.fromhex(text))[0])


def value_of(text: str, carried: TypeEngine[Any]) -> ColumnElement[Any]:
    """Make the value of *text* again, as a bound parameter that the server casts."""
    parameter: BindParameter[str] = bindparam(None, text, Text(), unique=True)
    # Twice: without the inner one the server would take the parameter for one of the outer type.
    return cast(cast(parameter, Text()), carried)


def kind_of(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """See through decorators and domains, whose checks are not for what an expression makes of their values."""
    kind = type_.dialect_impl(DIALECT)
    while isinstance(kind, TypeDecorator | postgresql.DOMAIN):
        inner = kind.impl_instance if isinstance(kind, TypeDecorator) else kind.data_type
        kind = inner.dialect_impl(DIALECT)
    return kind


def _item_of(array: types.ARRAY[Any], argument: object) -> TypeEngine[Any]:
    if isinstance(kind_of(array.item_type), _OF_SETTINGS):
        raise KeysetError(
            f"{argument} is an array of dates or floats, whose text depends on the session's settings: order by its "
            "elements one by one, or by an array of something else."
        )
    kind = kind_of(array.item_type)
    # Arrays are compared with arrays of the very same type only.
    return kind if isinstance(kind, types.Integer) else carried_as(kind, argument)


def _without_lengths(kind: TypeEngine[Any]) -> TypeEngine[Any]:  # noqa: C901, PLR0911 # a table of types, each with a reason
    if isinstance(kind, types.Enum):
        return kind if kind.native_enum else Text()
    if isinstance(kind, types.CHAR) or (isinstance(kind, types.Uuid) and not kind.native_uuid):
        return _Named("BPCHAR")
    if isinstance(kind, types.String):
        return kind if isinstance(kind, postgresql.CITEXT) else Text()
    if isinstance(kind, types.Integer):
        # count() and sum() are wider in PostgreSQL than SQLAlchemy says; an index serves integers of every width.
        return types.BigInteger()
    if isinstance(kind, types.Float):
        return types.Double()
    if isinstance(kind, types.Numeric):
        return types.Numeric()
    if isinstance(kind, types.DateTime):
        return types.DateTime(timezone=kind.timezone)
    if isinstance(kind, types.Time):
        return types.Time(timezone=kind.timezone)
    if isinstance(kind, types.Interval | postgresql.INTERVAL):
        return postgresql.INTERVAL()
    if isinstance(kind, postgresql.BIT):
        return _Named("BIT VARYING" if kind.varying else 'pg_catalog."bit"')
    return kind
