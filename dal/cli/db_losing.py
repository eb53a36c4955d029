"""Which statements of a script lose rows or values, as far as their words tell. Pure.

A change of a type may lose some, and so may what a block of code executes: they are taken to. Refuses: knowing what a
function does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from dal.migrations.lint.words import Word, statements

_DROPPED: Final = frozenset(
    {"database", "domain", "extension", "foreign", "materialized", "owned", "schema", "table", "type"}
)
_KEPT: Final = frozenset({"constraint", "default", "expression", "identity", "index", "not"})
_WRITING: Final = frozenset({"delete", "merge", "truncate", "update"})
_NOT_NAMES: Final = frozenset({"exists", "from", "if", "into", "only", "table"})
_DOLLARS: Final = r"\$(?P<tag>(?:[^\W\d]\w*)?)\$(?P<body>.*?)\$(?P=tag)\$"
_BODY: Final = re.compile(_DOLLARS, re.DOTALL)
_STATEMENT: Final = re.compile(
    rf"""(?:--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|{_DOLLARS}|[^;])+""", re.DOTALL
)
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def losses(script: str, version_table: str) -> list[str]:
    """List them, each in a line, but for what Alembic does to its own table."""
    return [text for text, words in _statements(script) if _loses(words) and _name(words) != version_table]


def _statements(script: str) -> Iterator[tuple[str, list[Word]]]:
    for found in _STATEMENT.finditer(script):
        text = " ".join(_COMMENT.sub(" ", found[0]).split())
        yield from ((text, words) for words in statements(found[0]))
        for block in _BODY.finditer(found[0]):
            yield from _in_block(block["body"])


def _in_block(body: str) -> Iterator[tuple[str, list[Word]]]:
    """Give what begins anywhere: behind BEGIN, THEN or LOOP, too."""
    for text, words in _statements(body):
        for at, word in enumerate(words):
            if word.kind == "name" and word.text in {"alter", "drop", "execute", *_WRITING}:
                yield text, words[at:]
                break


def _loses(words: list[Word]) -> bool:
    said = [word.text if word.kind == "name" else "" for word in words]
    match said[0]:
        case "drop":
            return said[1:2] != [] and said[1] in _DROPPED
        case "alter":
            return said[1:2] != [] and said[1] in {"foreign", "table", "type"} and _loses_by_altering(said[2:])
        case "with":
            return not _WRITING.isdisjoint(said)
        case first:
            return first in _WRITING or first == "execute"


def _loses_by_altering(said: list[str]) -> bool:
    drops = any(word == "drop" and after not in _KEPT for word, after in pairwise(said))
    return drops or ("alter" in said and "type" in said)


def _name(words: list[Word]) -> str:
    """Name what a statement is about, without its schema."""
    rest = words[1:]
    while rest and rest[0].kind == "name" and rest[0].text in _NOT_NAMES:
        rest = rest[1:]
    while len(rest) > 2 and rest[1] == Word("sign", "."):  # noqa: PLR2004 # a schema, a dot and a name
        rest = rest[2:]
    return rest[0].text if rest else ""
