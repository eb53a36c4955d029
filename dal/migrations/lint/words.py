"""SQL as words: enough to see which table and which column a statement names, and nothing of what it means.

Pure. Any text is read without an error: what is not closed goes on to the end, as the server would have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

_WORD: Final = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]* | /\*.*?(?:\*/|\Z))
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
  | (?P<string>'(?:[^']|'')*(?:'|\Z))
  | (?P<quoted>"(?:[^"]|"")*(?:"|\Z))
  | (?P<name>[^\W\d][\w$]*)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)

Kind = Literal["name", "quoted", "string", "sign"]


@dataclass(frozen=True, slots=True)
class Word:
    """A name, a string or a sign."""

    kind: Kind
    text: str
    """As PostgreSQL reads it: a name in small letters, what is quoted without its quotes."""

    @property
    def is_name(self) -> bool:
        """Whether it can name a table or a column."""
        return self.kind in ("name", "quoted")


def statements(sql: str) -> list[list[Word]]:
    """Split *sql* at its semicolons; statements without a word are left out."""
    split: list[list[Word]] = [[]]
    for word in _words(sql):
        if word == Word("sign", ";"):
            split.append([])
        else:
            split[-1].append(word)
    return [each for each in split if each]


def listed(words: list[Word]) -> list[list[Word]]:
    """Split *words* at the commas that are in no parentheses."""
    split: list[list[Word]] = [[]]
    depth = 0
    for word in words:
        depth += _opens(word)
        if depth == 0 and word == Word("sign", ","):
            split.append([])
        else:
            split[-1].append(word)
    return split


def in_parentheses(words: list[Word]) -> list[Word]:
    """Give what is in the first parentheses of *words*; to the end, where they do not close."""
    depth = 0
    inside: list[Word] = []
    for word in words:
        depth += _opens(word)
        if depth > 0:
            inside.append(word)
        elif inside:
            break
    return inside[1:]


def _opens(word: Word) -> int:
    if word.kind != "sign":
        return 0
    return {"(": 1, ")": -1}.get(word.text, 0)


def _words(sql: str) -> Iterator[Word]:
    for match in _WORD.finditer(sql):
        text = match.group()
        match match.lastgroup:
            case "name":
                yield Word("name", text.lower())
            case "quoted":
                yield Word("quoted", text[1:].removesuffix('"').replace('""', '"'))
            case "string" | "escaped":
                yield Word("string", text.lstrip("eE")[1:].removesuffix("'").replace("''", "'"))
            case "sign":
                yield Word("sign", text)
            case _:
                pass
