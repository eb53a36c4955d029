"""What a column's type says about its values, for all that make some: `factory` and `strategies`.

Pure. Refuses: making a value.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Column, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.ranges import AbstractRange

from dal.errors import FactoryError

T = TypeVar("T")
AnyType = types.TypeEngine[Any]

_BY_PYTHON_TYPE: Final[dict[type, AnyType]] = {
    bool: types.Boolean(),
    int: types.Integer(),
    float: types.Float(),
    Decimal: types.Numeric(9, 2),
    str: types.Text(),
    bytes: types.LargeBinary(),
    date: types.Date(),
    datetime: types.DateTime(timezone=True),
    time: types.Time(),
    timedelta: postgresql.INTERVAL(),
    UUID: types.Uuid(),
    dict: types.JSON(),
}
_RANGE_ELEMENTS: Final[dict[type, AnyType]] = {
    postgresql.INT4RANGE: types.Integer(),
    postgresql.INT8RANGE: types.BigInteger(),
    postgresql.NUMRANGE: types.Numeric(),
    postgresql.DATERANGE: types.Date(),
    postgresql.TSRANGE: types.DateTime(),
    postgresql.TSTZRANGE: types.DateTime(timezone=True),
    postgresql.INT4MULTIRANGE: types.Integer(),
    postgresql.INT8MULTIRANGE: types.BigInteger(),
    postgresql.NUMMULTIRANGE: types.Numeric(),
    postgresql.DATEMULTIRANGE: types.Date(),
    postgresql.TSMULTIRANGE: types.DateTime(),
    postgresql.TSTZMULTIRANGE: types.DateTime(timezone=True),
}
# An interval of fewer fields drops what is smaller than its last one; a timedelta knows no months.
_UNITS: Final = {"MINUTE": timedelta(minutes=1), "HOUR": timedelta(hours=1), "DAY": timedelta(days=1)}
_MICROSECOND: Final = timedelta(microseconds=1)


def look_up(table: Mapping[type, T], type_: AnyType) -> T:
    """Give the entry of *table* for the nearest class of *type_*; raises `LookupError` where there is none."""
    for kind in type(type_).__mro__:
        if kind in table:
            return table[kind]
    raise LookupError(type(type_).__name__)


def undecorated(type_: AnyType) -> AnyType:
    """Give the type whose Python values a column of *type_* takes: PostgreSQL's variant, a domain's, a decorator's."""
    # No public name for reading a variant; without it, the type itself is as good a guess.
    type_ = getattr(type_, "_variant_mapping", {}).get("postgresql", type_)
    if isinstance(type_, postgresql.DOMAIN):
        return undecorated(type_.data_type)
    if isinstance(type_, types.TypeDecorator) and not isinstance(type_, (types.Interval, types.PickleType)):
        return _of_decorator(type_)
    return type_


def unknown_type(column: Column[Any]) -> FactoryError:
    """Say that nobody knows values for the type of *column*."""
    name = type(column.type).__name__
    return FactoryError(f"no values are known for {name}, the type of {column}: pass a value for it, or define one")


def integer_range(type_: AnyType) -> tuple[int, int]:
    """Give the least and the greatest integer of *type_*."""
    if isinstance(type_, postgresql.OID):
        return 0, 2**32 - 1
    bits = 16 if isinstance(type_, types.SmallInteger) else 64 if isinstance(type_, types.BigInteger) else 32
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def enum_members(type_: types.Enum) -> list[Any]:
    """Give the Python values of an enumeration: members of its class, else its strings."""
    return list(type_.enum_class or type_.enums)


def char_length(type_: AnyType) -> int | None:
    """Give the length that the server pads values of *type_* to, None if it does not."""
    return (type_.length or 1) if isinstance(type_, (types.CHAR, types.NCHAR)) else None


def numeric_size(type_: Any) -> tuple[int, int] | None:
    """Give precision and scale; None for a numeric of any size, which ignores a scale."""
    return None if type_.precision is None else (type_.precision, type_.scale or 0)


def decimal_of(units: int, scale: int) -> Decimal:
    """Scale *units* by 10^-*scale* exactly: arithmetic on Decimals rounds to 28 digits."""
    return Decimal((int(units < 0), tuple(int(digit) for digit in str(abs(units))), -scale))


def is_single_precision(type_: types.Float[Any]) -> bool:
    """Tell whether the server keeps four bytes only."""
    return isinstance(type_, types.REAL) or (type_.precision is not None and type_.precision <= 24)  # noqa: PLR2004 - PostgreSQL's border


def time_unit(type_: AnyType) -> timedelta | None:
    """Give the smallest step of a time, timestamp or interval; None for an interval of months and years."""
    fields = (getattr(type_, "fields", None) or "SECOND").upper()
    last = fields.split()[-1].partition("(")[0]
    if last in {"MONTH", "YEAR"}:
        return None
    precision = getattr(type_, "precision", getattr(type_, "second_precision", None))
    return _UNITS.get(last) or _MICROSECOND * 10 ** (6 - (6 if precision is None else precision))


def is_range(type_: AnyType) -> bool:
    """Tell whether *type_* is a range or multirange."""
    return isinstance(undecorated(type_), AbstractRange)


def range_element(type_: AnyType) -> AnyType:
    """Give the type of the bounds of a range or multirange."""
    return look_up(_RANGE_ELEMENTS, type_)


def _of_decorator(type_: types.TypeDecorator[Any]) -> AnyType:
    impl = undecorated(type_.impl_instance)
    told = type_.python_type
    # TypeEngine's own answer is `object`: the decorator does not tell.
    if told is object or told is impl.python_type:
        return impl
    if issubclass(told, enum.Enum):
        return types.Enum(told)
    return _BY_PYTHON_TYPE.get(told, type_)
