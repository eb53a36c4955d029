"""The values of a column in an order of their own, so that the n-th is always the same and no two are equal.

Pure. Refuses: chance, the clock, and types whose values it does not know.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from math import prod
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import BitString, Range
from sqlalchemy.dialects.postgresql.ranges import AbstractMultiRange, AbstractSingleRange, MultiRange

from dal.testing.making import column_types
from dal.testing.making.column_types import AnyType

ENDLESS: Final = 2**31 - 2
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAYS: Final = 365 * 400
_FLOATS: Final = 2**24  # whole numbers that four bytes hold exactly
_ADDRESSES: Final = 2**24
_DIGITS: Final = string.digits + string.ascii_lowercase


@dataclass(frozen=True, slots=True)
class Values:
    """`nth(0)` to `nth(size - 1)` differ from each other, also when compared without case."""

    size: int
    nth: Callable[[int], Any]


def values_of(column: Column[Any]) -> Values:
    """Give the values of *column*; raises `FactoryError` for a type that nobody knows."""
    try:
        return _values(column.type, column.name)
    except LookupError:
        raise column_types.unknown_type(column) from None


def combine(parts: dict[str, Values]) -> Values:
    """Give every combination of *parts*, as a dict of one value each."""

    def nth(n: int) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        for name, part in parts.items():
            n, digit = divmod(n, part.size)
            chosen[name] = part.nth(digit)
        return chosen

    return Values(prod(part.size for part in parts.values()), nth)


def _values(type_: AnyType, name: str) -> Values:
    type_ = column_types.undecorated(type_)
    return column_types.look_up(_VALUES, type_)(type_, name)


def _integers(type_: AnyType, _name: str) -> Values:
    return Values(min(column_types.integer_range(type_)[1], ENDLESS), lambda n: n + 1)


def _decimals(type_: types.Numeric[Any], _name: str) -> Values:
    precision, scale = column_types.numeric_size(type_) or (18, 2)
    as_python = (lambda value: value) if type_.asdecimal else float
    return Values(min(10**precision - 1, ENDLESS), lambda n: as_python(column_types.decimal_of(n + 1, scale)))


def _floats(type_: types.Float[Any], _name: str) -> Values:
    return Values(_FLOATS, type_.python_type)


def _texts(type_: types.String, name: str) -> Values:
    exactly = column_types.char_length(type_)
    length = exactly or type_.length

    def nth(n: int) -> str:
        if exactly:
            return _digits(n).rjust(exactly, "0")
        words = f"{name.lower()} {n}"
        # The short form has no space, so it is never one of the long ones.
        return words if length is None or len(words) <= length else _digits(n)

    return Values(ENDLESS if length is None else min(len(_DIGITS) ** length, ENDLESS), nth)


def _digits(n: int) -> str:
    n, last = divmod(n, len(_DIGITS))
    return (_digits(n) if n else "") + _DIGITS[last]


def _words(_type: AnyType, name: str) -> Values:
    return Values(ENDLESS, lambda n: f"{name.lower()} {n}")


def _datetimes(type_: types.DateTime, _name: str) -> Values:
    first = _EPOCH if type_.timezone else _EPOCH.replace(tzinfo=None)
    return Values(ENDLESS, lambda n: first + timedelta(seconds=n))


def _times(type_: types.Time, _name: str) -> Values:
    zone = UTC if type_.timezone else None
    return Values(24 * 60 * 60, lambda n: (_EPOCH + timedelta(seconds=n)).time().replace(tzinfo=zone))


def _dates(_type: AnyType, _name: str) -> Values:
    first: date = _EPOCH.date()
    return Values(_DAYS, lambda n: first + timedelta(days=n))


def _intervals(type_: AnyType, _name: str) -> Values:
    unit = column_types.time_unit(type_)
    if unit is None:
        return Values(1, lambda _: timedelta())
    step = max(unit, timedelta(seconds=1))
    return Values(_DAYS, lambda n: step * (n + 1))


def _bits(type_: postgresql.BIT, _name: str) -> Values:
    length = type_.length or 64
    return Values(min(2**length, ENDLESS), lambda n: BitString.from_int(n, length))


def _uuids(type_: types.Uuid[Any], _name: str) -> Values:
    as_python: Callable[[UUID], Any] = (lambda value: value) if type_.as_uuid else str
    return Values(ENDLESS, lambda n: as_python(UUID(int=n, version=4)))


def _enums(type_: types.Enum, _name: str) -> Values:
    members = column_types.enum_members(type_)
    return Values(len(members), lambda n: members[n])


def _arrays(type_: types.ARRAY[Any], name: str) -> Values:
    items = _values(type_.item_type, name)
    shape = tuple if type_.as_tuple else list

    def nth(n: int) -> Any:
        value = items.nth(n)
        for _ in range(type_.dimensions or 1):
            value = shape([value])
        return value

    return Values(items.size, nth)


def _ranges(type_: AnyType, name: str) -> Values:
    bounds = _values(column_types.range_element(type_), name)
    return Values(bounds.size // 2, lambda n: Range(bounds.nth(2 * n), bounds.nth(2 * n + 1)))


def _multiranges(type_: AnyType, name: str) -> Values:
    ranges = _ranges(type_, name)
    return Values(ranges.size, lambda n: MultiRange([ranges.nth(n)]))


def _mac_addresses(octets: str) -> Callable[[AnyType, str], Values]:
    return lambda _type, _name: Values(_ADDRESSES, lambda n: octets + (n).to_bytes(3, "big").hex(":"))


def _made(nth: Callable[[str, int], Any], size: int = ENDLESS) -> Callable[[AnyType, str], Values]:
    return lambda _type, name: Values(size, lambda n: nth(name, n))


_VALUES: Final[dict[type, Callable[[Any, str], Values]]] = {
    types.Integer: _integers,
    postgresql.OID: _integers,
    types.Numeric: _decimals,
    types.Float: _floats,
    types.Boolean: _made(lambda _, n: bool(n), 2),
    types.String: _texts,
    types.Enum: _enums,
    types.Uuid: _uuids,
    types.LargeBinary: _made(lambda name, n: f"{name} {n}".encode()),
    types.PickleType: _words,
    types.Date: _dates,
    types.DateTime: _datetimes,
    types.Time: _times,
    types.Interval: _intervals,
    types.JSON: _made(lambda name, n: {name: n}),
    types.ARRAY: _arrays,
    AbstractSingleRange: _ranges,
    AbstractMultiRange: _multiranges,
    postgresql.INTERVAL: _intervals,
    postgresql.BIT: _bits,
    postgresql.INET: _made(lambda _, n: IPv4Address("10.0.0.0") + n, _ADDRESSES),
    postgresql.CIDR: _made(lambda _, n: IPv4Network(IPv4Address("10.0.0.0") + n), _ADDRESSES),
    postgresql.MACADDR: _mac_addresses("02:00:00:"),
    postgresql.MACADDR8: _mac_addresses("02:00:00:00:00:"),
    postgresql.MONEY: _made(lambda _, n: f"${n // 100}.{n % 100:02}", 100_000),
    postgresql.HSTORE: _made(lambda name, n: {name: str(n)}),
    postgresql.TSVECTOR: _made(lambda _, n: f"'word{n}'"),
    postgresql.TSQUERY: _made(lambda _, n: f"'word{n}'"),
    postgresql.REGCLASS: _made(lambda *_: "pg_class", 1),
    postgresql.REGCONFIG: _made(lambda *_: "simple", 1),
    types.JSON.JSONPathType: _made(lambda _, n: f'$."key{n}"'),
}
