"""Texts as values of Arrow's types: of those that PostgreSQL reads the same way. What is refused here, it is asked.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa

from dal.copy.values import Misfit, narrowed, pc

Parse: TypeAlias = Callable[[Any], pa.Array]

_TRUE: Final = ("t", "true", "1", "yes", "on", "y", "T", "TRUE", "True", "Y", "YES")
_FALSE: Final = ("f", "false", "0", "no", "off", "n", "F", "FALSE", "False", "N", "NO")
_BOOLS: Final = pa.array([*_TRUE, *_FALSE])
_HEX_DIGITS: Final = 32
# What is a number to Arrow alone, or to PostgreSQL 16 alone.
_HEXADECIMAL: Final = "x"


def parser_of(target: pa.DataType, formats: Sequence[str] = ()) -> Parse | None:
    """Give what turns texts into an array of *target*, and raises where one is none; None if nothing here can.

    Dates and timestamps may have *formats* of `strptime`.
    """
    if formats:
        return partial(_by_formats, target=target, formats=formats)
    found = next((parse for is_kind, parse in _PARSERS if is_kind(target)), None)
    return None if found is None else partial(found, target=target)


def _integers(texts: pa.Array, target: pa.DataType) -> pa.Array:
    if pc.any(pc.match_substring(texts, _HEXADECIMAL, ignore_case=True)).as_py():
        raise Misfit("a hexadecimal number")
    return texts.cast(target)


def _booleans(texts: pa.Array, target: pa.DataType) -> pa.Array:
    del target
    found = pc.index_in(texts, _BOOLS)
    if found.null_count != texts.null_count:
        raise Misfit("not a boolean")
    return pc.less(found, len(_TRUE))


def _uuids(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """Take all of them at once: one by one each would cost a microsecond."""
    digits = pc.replace_substring(texts, "-", "")
    if pc.any(pc.not_equal(pc.binary_length(digits), _HEX_DIGITS)).as_py():
        raise Misfit("not a uuid")
    whole = bytes.fromhex("".join(digits.fill_null("0" * _HEX_DIGITS).to_pylist()))
    found = pa.FixedSizeBinaryArray.from_buffers(target, len(texts), [None, pa.py_buffer(whole)])
    return pc.if_else(texts.is_valid(), found, pa.scalar(None, target)) if texts.null_count else found


def _times(texts: pa.Array, target: pa.DataType) -> pa.Array:
    day = pa.scalar("1970-01-01")
    return pc.binary_join_element_wise(day, texts, " ").cast(pa.timestamp("us")).cast(target)


def _by_formats(texts: pa.Array, target: pa.DataType, formats: Sequence[str]) -> pa.Array:
    """Read each by the first format that it is of, or as ISO 8601 has it, of which rejected records are written."""
    zone = getattr(target, "tz", None)
    found = pa.nulls(len(texts), pa.timestamp("s"))
    for each in (*formats, "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"):
        found = pc.coalesce(found, _by_format(texts, each))
    if found.null_count != texts.null_count:
        raise Misfit(f"not of the format {' or '.join(formats)}")
    return found.cast(pa.timestamp("s", zone)).cast(target) if zone else found.cast(target)


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
    (pa.types.is_floating, lambda texts, target: narrowed(texts.cast(pa.float64()), target)),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_fixed_size_binary, _uuids),
    (pa.types.is_time, _times),
    (pa.types.is_date, _exactly),
    (pa.types.is_timestamp, _exactly),
    (pa.types.is_decimal, _exactly),
    (pa.types.is_string, _exactly),
)


# What most values look like: those that do not are found at once, where to find them by trying takes a while.
_LOOKS: Final[tuple[tuple[Callable[[Any], bool], str], ...]] = (
    (pa.types.is_integer, r"^-?\d{1,18}$"),
    (pa.types.is_floating, r"^-?\d+(\.\d*)?([eE][-+]?\d{1,2})?$"),
    (pa.types.is_decimal, r"^-?\d+(\.\d*)?$"),
    (pa.types.is_date, r"^\d{4}-\d{2}-\d{2}$"),
    (pa.types.is_timestamp, r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?"),
)


def look_of(target: pa.DataType) -> str | None:
    """Give a regular expression of what most values of *target* look like; of all others the server is asked."""
    return next((look for is_kind, look in _LOOKS if is_kind(target)), None)
