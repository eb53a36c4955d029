"""Values as the texts that PostgreSQL reads them from: for a type without a binary form here, and for what is odd.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from math import isfinite
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import types
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.types import TypeEngine

from dal.copy.exactness import refuse_change
from dal.copy.kinds import is_wide
from dal.copy.values import Misfit, is_list

_NETWORKS: Final = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
_AS_PRINTED: Final = (Decimal, UUID, *_NETWORKS)


def text_of(value: Any, kind: TypeEngine[Any]) -> str | None:
    """Give what PostgreSQL reads *value* of a column of *kind* from; raises `Misfit` where it would read another."""
    if value is None:
        return None
    refuse_change(value, kind)
    if isinstance(value, float) and isfinite(value):
        value = _number(value, kind)
    text = _text(value)
    if "\0" in text:
        raise Misfit("a text with a NUL character, which PostgreSQL has none of")
    if not text.isascii():
        _refuse_surrogates(text)
    return text


def _text(value: Any) -> str:
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    return _compound(value)


def _number(value: float, kind: TypeEngine[Any]) -> int | float | Decimal:
    """Give what PostgreSQL reads as the same: it knows no 1.0 for a whole number, and rounds a real once."""
    if isinstance(kind, types.Integer) and value.is_integer():
        return int(value)
    return Decimal(value) if isinstance(kind, types.Float) and not is_wide(kind) else value


def _interval(value: timedelta) -> str:
    # A sign before each: under the IntervalStyle sql_standard the first one would count for all.
    return f"{value.days:+} days {value.seconds:+} seconds {value.microseconds:+} microseconds"


def _dated(value: date | time) -> str:
    return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()


_WRITERS: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    # What an enum prints is its own affair: a member that is a text, or a number, has that for its value.
    (str, str.__str__),
    (bool, lambda value: "true" if value else "false"),
    (int, int.__repr__),
    (float, float.__repr__),
    (_AS_PRINTED, str),
    ((date, time), _dated),
    (timedelta, _interval),
    ((bytes, bytearray, memoryview), lambda value: "\\x" + bytes(value).hex()),
)


def _compound(value: Any) -> str:
    if isinstance(value, asyncpg.Range):
        if value.isempty:
            return "empty"
        bounds = "[" if value.lower_inc else "(", "]" if value.upper_inc else ")"
        return bounds[0] + ",".join(map(_bound, (value.lower, value.upper))) + bounds[1]
    if isinstance(value, Range):
        return (
            "empty"
            if value.empty
            else value.bounds[0] + ",".join(map(_bound, (value.lower, value.upper))) + value.bounds[1]
        )
    if not is_list(value):
        raise Misfit(f"a {type(value).__name__}, which is no value of PostgreSQL's")
    return "{" + ",".join(map(_element, value)) + "}"


def _bound(value: Any) -> str:
    return "" if value is None else _quoted(_text(value))


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    return _text(value) if isinstance(value, list | tuple) else _quoted(_text(value))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Misfit("a text with half a character") from None
