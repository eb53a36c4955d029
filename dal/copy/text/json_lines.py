"""One line of NDJSON into texts that PostgreSQL takes.

Pure, by the standard library alone: `msgspec` keeps the last of two equal keys, and is another extra. Refuses: what
RFC 8259 does not know (NaN), and texts that PostgreSQL does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, Final, TypeAlias

Fields: TypeAlias = dict[str, str | None]


class _Pairs(list[tuple[str, Any]]):
    """An object, with keys that are there twice."""


class Unfit(ValueError):
    """What is wrong with a line, and in which column."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


def fields_of(line: str) -> Fields:
    """Read the object of *line*, which has no space around it; raises `Unfit`.

    Strings stand for themselves and numbers have their own digits; arrays and objects are given as they are written.
    """
    pairs = _parsed(line)
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(name for name in values if sum(name == one for one, _ in pairs) > 1)
        raise Unfit(f"the key {twice!r} more than once", twice)
    fields: Fields = values
    if not _PLAIN.issuperset(map(type, values.values())):
        written = dict(_written(line))
        fields = {name: value if type(value) in _PLAIN else written[name] for name, value in values.items()}
    # Only by an escape can a string have what is no text of PostgreSQL's.
    if "\\u" in line:
        _check_texts(fields)
    return fields


def _parsed(line: str) -> _Pairs:
    try:
        value, end = _DECODER.raw_decode(line)
    except JSONDecodeError as error:
        raise Unfit(f"no JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise Unfit("JSON that is nested too deeply") from error
    if end < len(line):
        raise Unfit(f"no JSON: something follows the value at character {end + 1}")
    if not isinstance(value, _Pairs):
        raise Unfit("JSON that is no object")
    return value


def _no_constant(text: str) -> Any:
    raise Unfit(f"no JSON: {text} is none of its numbers")


def _written(line: str) -> Iterator[tuple[str, str]]:
    """Give the values of the object of *line*, which is valid, as they are written."""
    at = _after_space(line, 0)
    while line[at] != "}":
        name, at = _DECODER.raw_decode(line, _after_space(line, at + 1))
        begin = _after_space(line, _after_space(line, at) + 1)
        end = _DECODER.raw_decode(line, begin)[1]
        yield name, line[begin:end]
        at = _after_space(line, end)


def _after_space(line: str, at: int) -> int:
    match = _SPACE.match(line, at)
    return match.end() if match else at


def _check_texts(fields: Fields) -> None:
    for name, text in fields.items():
        if "\0" in f"{name}{text}":
            raise Unfit("a NUL character, which no text in PostgreSQL can have", name)
        if _SURROGATE.search(f"{name}{text}"):
            raise Unfit("half of a surrogate pair, which is no text", name)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_float=str, parse_int=str, parse_constant=_no_constant
)
_PLAIN: Final = frozenset({str, type(None)})
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
