"""A JSON array as the text that PostgreSQL reads an array from.

Pure. A text that is no JSON array stands for itself, for the server to judge. Refuses: making sense of the elements,
which stay as they are written: numbers have their own digits, objects their own form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Final

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder(parse_float=str, parse_int=str)
_SPECIAL: Final = re.compile(r'(["\\])')


def array_text(text: str, *, of_json: bool) -> str:
    """Give the text of the array that *text* is; *of_json*: whether its elements are JSON, and no arrays of it."""
    if not text.startswith("["):
        return text
    try:
        return "{" + ",".join(_element(each, of_json=of_json) for each in _elements(text)) + "}"
    except (JSONDecodeError, RecursionError):
        return text


def _elements(text: str) -> Iterator[str]:
    """Give the elements as they are written."""
    at = _after(text, 0, "[")
    is_end = text.startswith("]", at)
    while not is_end:
        end = _DECODER.raw_decode(text, at)[1]
        yield text[at:end]
        at = _after(text, end)
        is_end = text.startswith("]", at)
        at = at if is_end else _after(text, at, ",")
    if _after(text, at, "]") != len(text):
        raise JSONDecodeError("more than an array", text, at)


def _element(written: str, *, of_json: bool) -> str:
    if written == "null":
        return "NULL"
    if not of_json and written.startswith("["):
        return array_text(written, of_json=False)
    word = _DECODER.decode(written) if written.startswith('"') and not of_json else written
    return '"' + _SPECIAL.sub(r"\\\1", word) + '"'


def _after(text: str, at: int, mark: str = "") -> int:
    """Find what comes behind *mark*, which must be there, and spaces."""
    if not text.startswith(mark, at):
        raise JSONDecodeError(f"no {mark}", text, at)
    match = _SPACE.match(text, at + len(mark))
    return match.end() if match else at
