"""Texts as values of Arrow's types: of those that PostgreSQL reads the same way. What is refused here, it is asked.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa

from dal.copy.values import Misfit, pc

Parse: TypeAlias = Callable[[Any], pa.Array]

_TRUE: Final = ("t", "true", "1", "yes", "on", "y", "T", "TRUE", "True", "Y", "YES")
_FALSE: Final = ("f", "false", "0", "no", "off", "n", "F", "FALSE", "False", "N", "NO")
_BOOLS: Final = pa.array([*_TRUE, *_FALSE])
# A text of a float that is read as 0, and is.
_ZERO: Final = r"^-?[0.]+([eE].*)?$"
_NIL: Final = "00000000-0000-0000-0000-000000000000"
# PostgreSQL takes a hyphen behind each four digits.
_UUID: Final = r"^[0-9a-fA-F]{4}(-?[0-9a-fA-F]{4}){7}$"
_UNZONED: Final = r"^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?$"
_ZONED: Final = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+](0\d|1[0-5])(:?[0-5]\d)?)$"
_FIRST_MOMENT: Final = pa.scalar("0001-01-01").cast(pa.timestamp("us"))
_FIRST_DAY: Final = pa.scalar("0001-01-01").cast(pa.date32())
# What is a number to Arrow alone, or to PostgreSQL 16 alone.
_HEXADECIMAL: Final = "xX"
# With one, Arrow makes another number of one that has too many digits.
_EXPONENT: Final = "eE"


def parser_of(target: pa.DataType, formats: Sequence[str] = ()) -> Parse | None:
    """Give what turns texts into an array of *target*, and raises where one is none; None if nothing here can.

    Dates and timestamps may have *formats* of `strptime`, of which none says a zone.
    """
    if formats and is_zoned(target):
        return None  # the session's zone counts, which the server knows
    if formats:
        return partial(_by_formats, target=target, formats=formats)
    found = next((parse for is_kind, parse in _PARSERS if is_kind(target)), None)
    return None if found is None else partial(found, target=target)


def _integers(texts: pa.Array, target: pa.DataType) -> pa.Array:
    return _without(texts, _HEXADECIMAL).cast(target)


def _decimals(texts: pa.Array, target: pa.DataType) -> pa.Array:
    return _without(texts, _EXPONENT).cast(target)


def _without(texts: pa.Array, characters: str) -> pa.Array:
    # To ignore case takes twice as long as to look for both.
    if any(pc.any(pc.match_substring(texts, each)).as_py() for each in characters):
        raise Misfit("a number of another form")
    return texts


def _booleans(texts: pa.Array, target: pa.DataType) -> pa.Array:
    del target
    found = pc.index_in(texts, _BOOLS)
    if found.null_count != texts.null_count:
        raise Misfit("not a boolean")
    return pc.less(found, len(_TRUE))


def _floats(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """Read reals at once, for what is rounded twice may be another; and what PostgreSQL calls out of range is none."""
    found = texts.cast(target)
    odd = pc.or_(pc.invert(pc.is_finite(found)), pc.equal(found, pa.scalar(0, target)))
    if pc.any(odd).as_py() and not _are_all(texts.filter(odd), _ZERO):
        raise Misfit("no number, or out of range")
    return found


def _are_all(texts: pa.Array, form: str) -> bool:
    return not pc.any(pc.invert(pc.match_substring_regex(texts, form))).as_py()


def _uuids(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """Take all of them at once: one by one each would cost a microsecond."""
    whole = texts.fill_null(_NIL)
    if not (_is_canonical(whole) or _are_all(whole, _UUID)):
        raise Misfit("not a uuid")
    data = bytes.fromhex("".join(whole.to_pylist()).replace("-", ""))
    # Spaces are left out by fromhex.
    if len(data) != len(texts) * target.byte_width:
        raise Misfit("not a uuid")
    found = pa.FixedSizeBinaryArray.from_buffers(target, len(texts), [None, pa.py_buffer(data)])
    return pc.if_else(texts.is_valid(), found, pa.scalar(None, target)) if texts.null_count else found


def _is_canonical(texts: pa.Array) -> bool:
    """Tell whether there are hyphens in the four places of each, and in no other."""
    if pc.any(pc.not_equal(pc.binary_length(texts), len(_NIL))).as_py():
        return False
    data, count = "".join(texts.to_pylist()), len(texts)
    places = [at for at, character in enumerate(_NIL) if character == "-"]
    return data.count("-") == count * len(places) and all(data[at :: len(_NIL)] == "-" * count for at in places)


def _dates(texts: pa.Array, target: pa.DataType) -> pa.Array:
    return _of_known_years(texts.cast(target), _FIRST_DAY)


def _timestamps(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """Read those that have minutes: an hour alone is none to PostgreSQL, and neither is a zone 16 hours away."""
    if is_zoned(target):
        is_odd = not (_are_utc(texts) or _are_all(texts, _ZONED))
    else:
        is_odd = pc.any(pc.equal(pc.binary_length(texts), len("2026-01-01 12"))).as_py()
    if is_odd:
        raise Misfit("an hour without minutes, or another zone")
    return _of_known_years(texts.cast(target), _FIRST_MOMENT)


def _are_utc(texts: pa.Array) -> bool:
    """Tell whether all have minutes and UTC, in one way of writing it: to match an expression takes longer."""
    if pc.any(pc.less(pc.binary_length(texts), len("2026-01-01 12:00:00Z"))).as_py():
        return False
    return any(not pc.any(pc.invert(pc.ends_with(texts, each))).as_py() for each in ("+00:00", "Z", "+00"))


def _of_known_years(found: pa.Array, first: pa.Scalar) -> pa.Array:
    if pc.any(pc.less(found, first.cast(found.type))).as_py():
        raise Misfit("before the year 1, where PostgreSQL counts otherwise")
    return found


def _times(texts: pa.Array, target: pa.DataType) -> pa.Array:
    if pc.any(pc.less(pc.binary_length(texts), len("00:00"))).as_py():
        raise Misfit("an hour without minutes")
    day = pa.scalar("1970-01-01")
    return pc.binary_join_element_wise(day, texts, " ").cast(pa.timestamp("us")).cast(target)


def _by_formats(texts: pa.Array, target: pa.DataType, formats: Sequence[str]) -> pa.Array:
    """Read each by the first format that it is of, or as ISO 8601 has it, of which rejected records are written."""
    found = pa.nulls(len(texts), pa.timestamp("s"))
    for each in (*formats, "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"):
        found = pc.coalesce(found, _by_format(texts, each))
    if found.null_count != texts.null_count:
        raise Misfit(f"not of the format {' or '.join(formats)}")
    return _of_known_years(found, _FIRST_MOMENT).cast(target)


def _by_format(texts: pa.Array, one: str) -> pa.Array:
    """Parse what is of *one* format, and is a day that there is: Arrow's 31st of February is in March."""
    found = pc.strptime(texts, format=one, unit="s", error_is_null=True)
    is_same = pc.equal(_plain(pc.strftime(found, format=one)), _plain(texts))
    return pc.if_else(is_same, found, pa.scalar(None, found.type))


def _plain(texts: pa.Array) -> pa.Array:
    """Leave out what one may write or not: zeros before a number, capitals."""
    return pc.utf8_lower(pc.replace_substring_regex(texts, r"\b0+(\d)", r"\1"))


def _exactly(texts: pa.Array, target: pa.DataType) -> pa.Array:
    return texts.cast(target)


_PARSERS: Final[tuple[tuple[Callable[[Any], bool], Callable[..., pa.Array]], ...]] = (
    (pa.types.is_integer, _integers),
    (pa.types.is_floating, _floats),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_fixed_size_binary, _uuids),
    (pa.types.is_time, _times),
    (pa.types.is_date, _dates),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_string, _exactly),
)


def is_zoned(target: Any) -> bool:
    """Tell whether *target* is of moments, and not of what a clock shows."""
    return pa.types.is_timestamp(target) and target.tz is not None


# What most values look like: those that do not are found at once, where to find them by trying takes a while.
_LOOKS: Final[tuple[tuple[Callable[[Any], bool], str], ...]] = (
    (pa.types.is_integer, r"^-?\d{1,18}$"),
    (pa.types.is_floating, r"^-?\d+(\.\d*)?([eE][-+]?\d{1,2})?$"),
    (pa.types.is_decimal, r"^-?\d+(\.\d*)?$"),
    (pa.types.is_date, r"^\d{4}-\d{2}-\d{2}$"),
    (is_zoned, _ZONED),
    (pa.types.is_timestamp, _UNZONED),
    (pa.types.is_time, r"^\d{2}:\d{2}(:\d{2}(\.\d+)?)?$"),
    (pa.types.is_fixed_size_binary, _UUID),
)


def look_of(target: pa.DataType) -> str | None:
    """Give a regular expression of what most values of *target* look like; of all others the server is asked."""
    return next((look for is_kind, look in _LOOKS if is_kind(target)), None)
