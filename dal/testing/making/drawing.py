"""Hypothesis strategies for the types of columns: the whole range that the server and Python both have.

Refuses: NaN, which equals nothing, and the infinities of numeric. Times with a zone are drawn in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st
from sqlalchemy import Column, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import BitString, Range
from sqlalchemy.dialects.postgresql.ranges import AbstractMultiRange, AbstractSingleRange, MultiRange

from dal.testing.making import column_types
from dal.testing.making.column_types import AnyType

Strategy: TypeAlias = st.SearchStrategy[Any]

# The server's text has no null character, and UTF-8 no surrogates.
_CHARACTERS: Final = st.characters(codec="utf-8", exclude_characters="\0")
_TEXT: Final = st.text(_CHARACTERS)
_LEXEMES: Final = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20)
# jsonb keeps numbers as numeric: of a greater float it gives another integer back.
_JSON_FLOATS: Final = st.floats(-(2.0**53), 2.0**53)
_JSON: Final = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63) | _JSON_FLOATS | _TEXT,
    lambda inner: st.lists(st.none() | inner, max_size=3) | st.dictionaries(_TEXT, st.none() | inner, max_size=3),
    max_leaves=5,
)
_FLOAT_DIGITS: Final = 15  # that survive a way through float and back
_LONGEST: Final = timedelta(days=999_999_999)


def strategy_of(column: Column[Any]) -> Strategy:
    """Give the strategy of *column*, None apart; raises `FactoryError` for a type that nobody knows."""
    try:
        return _strategy(column.type)
    except LookupError:
        raise column_types.unknown_type(column) from None


def _strategy(type_: AnyType) -> Strategy:
    type_ = column_types.undecorated(type_)
    return column_types.look_up(_STRATEGIES, type_)(type_)


def _integers(type_: AnyType) -> Strategy:
    return st.integers(*column_types.integer_range(type_))


def _decimals(type_: types.Numeric[Any]) -> Strategy:
    size = column_types.numeric_size(type_)
    if size is None:
        scales, precision = st.integers(0, 40), 80
    else:
        scales, precision = st.just(size[1]), size[0]
    if not type_.asdecimal:
        precision = min(precision, _FLOAT_DIGITS)
    greatest = 10**precision - 1
    drawn = st.builds(column_types.decimal_of, st.integers(-greatest, greatest), scales)
    return drawn if type_.asdecimal else drawn.map(float)


def _floats(type_: types.Float[Any]) -> Strategy:
    if type_.asdecimal:
        # SQLAlchemy reads these back by ten decimals: quarters are exact on every way.
        return st.integers(-(2**24) + 1, 2**24 - 1).map(lambda quarters: Decimal(quarters) / 4)
    return st.floats(allow_nan=False, width=32 if column_types.is_single_precision(type_) else 64)


def _texts(type_: types.String) -> Strategy:
    exactly = column_types.char_length(type_)
    return st.text(_CHARACTERS, min_size=exactly or 0, max_size=exactly or type_.length)


def _datetimes(type_: types.DateTime) -> Strategy:
    drawn = st.datetimes(timezones=st.just(UTC)) if type_.timezone else st.datetimes()
    return drawn.map(partial(_rounded, column_types.time_unit(type_)))


def _times(type_: types.Time) -> Strategy:
    drawn = st.times(timezones=st.just(UTC)) if type_.timezone else st.times()
    return drawn.map(partial(_rounded, column_types.time_unit(type_)))


def _rounded(unit: timedelta | None, moment: Any) -> Any:
    step = (unit or timedelta(microseconds=1)).microseconds or 10**6
    return moment.replace(microsecond=moment.microsecond // step * step)


def _intervals(type_: AnyType) -> Strategy:
    unit = column_types.time_unit(type_)
    if unit is None:
        return st.just(timedelta())
    most = _LONGEST // unit
    return st.integers(-most, most).map(lambda units: unit * units)


def _bits(type_: postgresql.BIT) -> Strategy:
    least = 0 if type_.varying else type_.length
    return st.text("01", min_size=least or 0, max_size=type_.length).map(BitString)


def _uuids(type_: types.Uuid[Any]) -> Strategy:
    return st.uuids() if type_.as_uuid else st.uuids().map(str)


def _arrays(type_: types.ARRAY[Any]) -> Strategy:
    items = st.none() | _strategy(type_.item_type)
    shape = tuple if type_.as_tuple else list
    dimensions = type_.dimensions or 1
    if dimensions == 1:
        return st.lists(items, max_size=5).map(shape)
    # The server wants every row as long as the others, and knows one empty array only.
    lengths = st.lists(st.integers(1, 3), min_size=dimensions, max_size=dimensions)
    return st.just(shape()) | lengths.flatmap(lambda sizes: _nested(items, sizes, shape))


def _nested(items: Strategy, sizes: list[int], shape: type[Any]) -> Strategy:
    inner = items if len(sizes) == 1 else _nested(items, sizes[1:], shape)
    return st.lists(inner, min_size=sizes[0], max_size=sizes[0]).map(shape)


def _ranges(type_: AnyType) -> Strategy:
    edges = _edges(type_, 2, 2).map(lambda pair: (pair[0], pair[1]))
    # Others than these the server rewrites, where it knows what comes next.
    kinds = st.just("[)") if _is_discrete(type_) else st.sampled_from(["[)", "(]", "[]", "()"])
    element = _strategy(column_types.range_element(type_))
    return (
        st.builds(lambda pair, kind: Range(*pair, bounds=kind), edges, kinds)
        | st.builds(lambda lower: Range(lower, None, bounds="[)"), element)
        | st.builds(lambda upper: Range(None, upper, bounds="()"), element)
        | st.sampled_from([Range(None, None, bounds="()"), Range(empty=True)])
    )


def _multiranges(type_: AnyType) -> Strategy:
    def paired(edges: list[Any]) -> MultiRange[Any]:
        return MultiRange([Range(*pair) for pair in zip(edges[::2], edges[1::2], strict=False)])

    return _edges(type_, 0, 6).map(paired)


def _edges(type_: AnyType, least: int, most: int) -> Strategy:
    element = _strategy(column_types.range_element(type_))
    return st.lists(element, min_size=least, max_size=most, unique=True).map(sorted)


def _is_discrete(type_: AnyType) -> bool:
    return isinstance(column_types.range_element(type_), (types.Integer, types.Date))


def _interface(bits: int, kind: type[Any]) -> Strategy:
    return st.builds(lambda address, size: kind((address, size)), st.integers(0, 2**bits - 1), st.integers(0, bits))


def _as_read(interface: IPv4Interface | IPv6Interface) -> Any:
    """Give what the driver gives: a host alone is an address."""
    return interface.ip if interface.network.prefixlen == interface.max_prefixlen else interface


def _mac_addresses(octets: int) -> Strategy:
    return st.binary(min_size=octets, max_size=octets).map(lambda address: address.hex(":"))


def _always(strategy: Strategy) -> Callable[[Any], Strategy]:
    return lambda _type: strategy


_INTERFACES: Final = _interface(32, IPv4Interface) | _interface(128, IPv6Interface)
_QUOTED: Final = _LEXEMES.map(lambda word: f"'{word}'")

_STRATEGIES: Final[dict[type, Callable[[Any], Strategy]]] = {
    types.Integer: _integers,
    postgresql.OID: _integers,
    types.Numeric: _decimals,
    types.Float: _floats,
    types.Boolean: _always(st.booleans()),
    types.String: _texts,
    types.Enum: lambda type_: st.sampled_from(column_types.enum_members(type_)),
    types.Uuid: _uuids,
    types.LargeBinary: _always(st.binary()),
    types.PickleType: _always(_JSON),
    types.Date: _always(st.dates()),
    types.DateTime: _datetimes,
    types.Time: _times,
    types.Interval: _intervals,
    types.JSON: _always(_JSON),
    types.ARRAY: _arrays,
    AbstractSingleRange: _ranges,
    AbstractMultiRange: _multiranges,
    postgresql.INTERVAL: _intervals,
    postgresql.BIT: _bits,
    postgresql.INET: _always(_INTERFACES.map(_as_read)),
    postgresql.CIDR: _always(_INTERFACES.map(lambda interface: interface.network)),
    postgresql.MACADDR: _always(_mac_addresses(6)),
    postgresql.MACADDR8: _always(_mac_addresses(8)),
    postgresql.MONEY: _always(st.integers(0, 99_999).map(lambda cents: f"${cents // 100}.{cents % 100:02}")),
    postgresql.HSTORE: _always(st.dictionaries(_TEXT, st.none() | _TEXT, max_size=3)),
    postgresql.TSVECTOR: _always(_QUOTED),
    postgresql.TSQUERY: _always(_QUOTED),
    postgresql.REGCLASS: _always(st.sampled_from(["pg_class", "pg_type"])),
    postgresql.REGCONFIG: _always(st.sampled_from(["simple", "english"])),
    types.JSON.JSONPathType: _always(_LEXEMES.map(lambda key: f'$."{key}"')),
}
