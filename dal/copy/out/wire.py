"""How a value of each type leaves the server as text, and the Arrow array that is made of such texts.

Whatever the session's settings make of a text (DateStyle, IntervalStyle, TimeZone, extra_float_digits, bytea_output) is
sent as the hexadecimal digits of its binary form, which is exact, and as fast. Pure. Refuses: rounding, and values that
Arrow has no form for; these are `Unfit`.

| type of the server's                   | Arrow                                                            |
|----------------------------------------|------------------------------------------------------------------|
| smallint, integer, bigint              | int16, int32, int64                                              |
| real, double precision                 | float32, float64                                                 |
| numeric                                | decimal128, of the digits that `digits_of` says                  |
| boolean, bytea                         | bool, binary                                                     |
| date, time                             | date32, time64[us]                                               |
| timestamp, timestamptz                 | timestamp[us], timestamp[us, UTC]                                |
| interval                               | duration[us]; a day has 24 hours, a month has no length          |
| uuid                                   | binary of 16 bytes                                               |
| all others (text, enum, json, inet...) | string, in PostgreSQL's own form                                 |
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from array import array
from binascii import unhexlify
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as compute_module
from sqlalchemy import Cast, Column, Label, Numeric, TypeCoerce, types

# Its functions are made when it is imported, and no checker sees them.
pc: Final[Any] = compute_module

# Of a decimal128.
MOST_DIGITS: Final = 38
# Of a numeric that is declared without digits: as many after the point as before it, nearly.
ANY_DIGITS: Final = (38, 18)

_EPOCH_DAYS: Final = 10_957  # from 1970-01-01 to PostgreSQL's 2000-01-01
_EPOCH_US: Final = _EPOCH_DAYS * 24 * 60 * 60 * 10**6
_DAY_US: Final = 24 * 60 * 60 * 10**6
# What stands for -infinity and infinity in the binary form.
_INFINITE_DAYS: Final = (-(2**31), 2**31 - 1)
_INFINITE_US: Final = (-(2**63), 2**63 - 1)

# Codes of `array`, by the types they hold; their lengths are the same wherever CPython runs.
_CODES: Final = {pa.int32(): "i", pa.int64(): "q", pa.float32(): "f", pa.float64(): "d"}


class Unfit(ValueError):
    """A value that Arrow has no form for, and what to do about it; never the value itself."""


class Wire(ABC):
    """A type on its way: `sent` asks the server for the text of `{}`, which Arrow is to read as `read` at first.

    In an array its elements are sent as they are, or as text if `is_text`.
    """

    def __init__(self, kind: pa.DataType, sent: str, *, read: pa.DataType, is_text: bool) -> None:
        self.type, self.sent, self.read, self.is_text = kind, sent, read, is_text

    @abstractmethod
    def array(self, column: pa.Array) -> pa.Array:
        """Make the array of what was read."""

    @abstractmethod
    def elements(self, values: Sequence[bytes | None]) -> pa.Array:
        """Make the array of elements in the form that arrays are sent in."""


class Parsed(Wire):
    """Whose text Arrow itself parses."""

    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind, "{}", read=kind, is_text=True)

    def array(self, column: pa.Array) -> pa.Array:
        """Take it as it is."""
        return column

    def elements(self, values: Sequence[bytes | None]) -> pa.Array:
        """Parse texts."""
        return self.parse(pa.array(values, pa.binary()).cast(pa.string()))

    def parse(self, texts: pa.Array) -> pa.Array:
        """Parse *texts*, and say what is wrong with one that cannot be."""
        try:
            return texts.cast(self.type)
        except pa.ArrowInvalid as error:
            raise Unfit(
                f"a number that has more digits than {self.type} holds, or is NaN or infinite: select it as "
                f"cast(..., Numeric(precision, scale)) with enough of at most {MOST_DIGITS} digits, or as "
                "cast(..., Text)"
            ) from error


class Words(Wire):
    """Text, in which COPY has put a backslash before what would end a column or a line."""

    def __init__(self) -> None:
        super().__init__(pa.string(), "{}", read=pa.string(), is_text=True)

    def array(self, column: pa.Array) -> pa.Array:
        """Take the backslashes out again."""
        if b"\\" not in bytes(data_of(column)):
            return column
        # The server's text has no null character, so one can stand for a backslash meanwhile.
        column = pc.replace_substring(column, "\\\\", "\0")
        for letter, meant in _ESCAPED:
            column = pc.replace_substring(column, letter, meant)
        return pc.replace_substring(column, "\0", "\\")

    def elements(self, values: Sequence[bytes | None]) -> pa.Array:
        """Take the texts of an array, which have no backslashes of COPY's."""
        return pa.array(values, pa.binary()).cast(pa.string())


_ESCAPED: Final = (("\\b", "\b"), ("\\f", "\f"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\v", "\v"))

# Makes the array of the values in binary form, one after the other, zeros where there is none; with their validity.
Make: TypeAlias = Callable[[bytes, int, Any], pa.Array]


class Fixed(Wire):
    """Whose binary form is always *width* bytes long."""

    def __init__(self, kind: pa.DataType, send: str, width: int, make: Make) -> None:
        super().__init__(kind, f"pg_catalog.encode(pg_catalog.{send}({{}}), 'hex')", read=pa.string(), is_text=False)
        self._width, self._make = width, make

    def array(self, column: pa.Array) -> pa.Array:
        """Make it of hexadecimal digits."""
        digits = column.fill_null("00" * self._width) if column.null_count else column
        return self._make(unhexlify(data_of(digits)), len(column), _validity(column))

    def elements(self, values: Sequence[bytes | None]) -> pa.Array:
        """Make it of bytes."""
        there = pa.array([value is not None for value in values], pa.bool_())
        nothing = bytes(self._width)
        return self._make(b"".join(value or nothing for value in values), len(values), there.buffers()[1])


class Raw(Wire):
    """Bytes of any number."""

    def __init__(self) -> None:
        super().__init__(pa.binary(), "pg_catalog.encode({}, 'hex')", read=pa.string(), is_text=False)

    def array(self, column: pa.Array) -> pa.Array:
        """Make it of hexadecimal digits."""
        ends = pa.Array.from_buffers(pa.int32(), len(column) + 1, [None, column.buffers()[1]], offset=column.offset)
        # A number of bytes is half of the number of digits.
        offsets = pc.shift_right(pc.subtract(ends, ends[0]), pa.scalar(1, pa.int32()))
        data = pa.py_buffer(unhexlify(data_of(column)))
        return pa.Array.from_buffers(pa.binary(), len(column), [_validity(column), offsets.buffers()[1], data])

    def elements(self, values: Sequence[bytes | None]) -> pa.Array:
        """Take the bytes."""
        return pa.array(values, pa.binary())


def data_of(texts: pa.Array) -> memoryview:
    """Give the bytes of all *texts*, one after the other."""
    _, offsets, data = texts.buffers()
    ends = pa.Array.from_buffers(pa.int32(), len(texts) + 1, [None, offsets], offset=texts.offset)
    return memoryview(data or b"")[ends[0].as_py() : ends[len(texts)].as_py()]


def _validity(column: pa.Array) -> Any:
    """Give the bits that say where *column* has values, from its beginning; None if everywhere."""
    return column.is_valid().buffers()[1] if column.null_count else None


def _numbers(data: bytes, kind: pa.DataType) -> Any:
    found = array(_CODES[kind], data)
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _plain(data: bytes, count: int, validity: Any, kind: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(kind, count, [validity, pa.py_buffer(_numbers(data, kind))])


def _float(kind: pa.DataType) -> Make:
    return lambda data, count, validity: _plain(data, count, validity, kind)


def _uuid(data: bytes, count: int, validity: Any) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(16), count, [validity, pa.py_buffer(data)])


def _date(data: bytes, count: int, validity: Any) -> pa.Array:
    days = _plain(data, count, validity, pa.int32())
    _refuse(days, _INFINITE_DAYS, "an infinite date")
    return pc.add(days, pa.scalar(_EPOCH_DAYS, pa.int32())).cast(pa.date32())


def _timestamp(kind: pa.DataType) -> Make:
    def make(data: bytes, count: int, validity: Any) -> pa.Array:
        moments = _plain(data, count, validity, pa.int64())
        _refuse(moments, _INFINITE_US, "an infinite timestamp")
        try:
            return pc.add_checked(moments, pa.scalar(_EPOCH_US, pa.int64())).cast(kind)
        except pa.ArrowInvalid as error:
            raise Unfit(
                "a timestamp of a later year than 294246, Arrow's last; select it as cast(..., Text)"
            ) from error

    return make


def _time(data: bytes, count: int, validity: Any) -> pa.Array:
    hours = _plain(data, count, validity, pa.int64())
    _refuse(hours, (_DAY_US,), "the time 24:00:00")
    return hours.cast(pa.time64("us"))


def _interval(data: bytes, count: int, validity: Any) -> pa.Array:
    # A number of microseconds, then one of days and one of months, of half the length.
    both = _numbers(data, pa.int64())
    micros, rest = (pa.Array.from_buffers(pa.int64(), count, [validity, pa.py_buffer(half)]) for half in _halves(both))
    if pc.any(pc.not_equal(pc.bit_wise_and(rest, pa.scalar(2**32 - 1, pa.int64())), 0)).as_py():
        raise Unfit(
            "an interval of months or years, or an infinite one, which has no fixed length; "
            "select it as cast(..., Text), or as what you take a month for"
        )
    try:
        days = pc.multiply_checked(pc.shift_right(rest, pa.scalar(32, pa.int64())), pa.scalar(_DAY_US, pa.int64()))
        return pc.add_checked(micros, days).cast(pa.duration("us"))
    except pa.ArrowInvalid as error:
        raise Unfit("an interval of more microseconds than 64 bits hold; select it as cast(..., Text)") from error


def _halves(both: Any) -> tuple[Any, Any]:
    return both[0::2], both[1::2]


def _refuse(numbers: pa.Array, none_of: Sequence[int], what: str) -> None:
    if pc.any(pc.is_in(numbers, pa.array(none_of, numbers.type))).as_py():
        raise Unfit(
            f"{what}, for which Arrow has no value; leave it out by a condition, or select it as cast(..., Text)"
        )


_UTC: Final = pa.timestamp("us", "UTC")
_WALL: Final = pa.timestamp("us")
# By the server's name of the type, in pg_catalog.
_WIRES: Final[dict[str, Wire]] = {
    "int2": Parsed(pa.int16()),
    "int4": Parsed(pa.int32()),
    "int8": Parsed(pa.int64()),
    "float4": Fixed(pa.float32(), "float4send", 4, _float(pa.float32())),
    "float8": Fixed(pa.float64(), "float8send", 8, _float(pa.float64())),
    "bool": Parsed(pa.bool_()),
    "bytea": Raw(),
    "date": Fixed(pa.date32(), "date_send", 4, _date),
    "time": Fixed(pa.time64("us"), "time_send", 8, _time),
    "timestamp": Fixed(_WALL, "timestamp_send", 8, _timestamp(_WALL)),
    "timestamptz": Fixed(_UTC, "timestamptz_send", 8, _timestamp(_UTC)),
    "interval": Fixed(pa.duration("us"), "interval_send", 16, _interval),
    "uuid": Fixed(pa.binary(16), "uuid_send", 16, _uuid),
}
_WORDS: Final = Words()


def wire_of(name: str | None, digits: tuple[int, int]) -> Wire:
    """Give the way of the type that is called *name* in pg_catalog, None for those elsewhere; *digits* of a numeric."""
    if name == "numeric":
        return Parsed(pa.decimal128(*digits))
    return _WIRES.get(name or "", _WORDS)


def digits_of(selected: Any) -> tuple[int, int]:
    """Give precision and scale for what is *selected*, as far as it is declared; what is computed may have others."""
    element = selected.element if isinstance(selected, Label) else selected
    kind = element.type if isinstance(element, Column | Cast | TypeCoerce) else None
    while isinstance(kind, types.ARRAY | types.TypeDecorator):
        kind = kind.item_type if isinstance(kind, types.ARRAY) else kind.impl_instance
    if not isinstance(kind, Numeric) or isinstance(kind, types.Float) or kind.precision is None:
        return ANY_DIGITS
    scale = kind.scale or 0
    # A scale may be below 0, or above the precision.
    precision = max(kind.precision - min(scale, 0), scale)
    return min(precision, MOST_DIGITS), min(max(scale, 0), MOST_DIGITS)
