"""What statements have in common that differ in literals, the length of lists, white space and comments.

Pure. Refuses: parsing SQL; what it does not know, it leaves as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

_KEPT: Final = 1_000
# A script with its data in it may be of any length: it is not kept.
_LONGEST_KEPT: Final = 10_000

_TOKEN: Final = re.compile(
    r"""
      (?P<space> (?: \s | --[^\n]* )+ )
    | (?P<comment> /\* )
    | (?P<literal>
          [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
        | (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
        | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
        | \$\d+
        | 0[xXoObB][0-9a-fA-F_]+
        | (?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?
      )
    | (?P<name> (?:[uU]&)?"(?:[^"]|"")*" | [^\W\d][\w$]* )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_QUOTED: Final = r'(?P<quoted>"(?:[^"]|"")*")'
# Possessive, so that a list without an end is passed once.
_PLAIN: Final = r"[^,()?\[\]]*+"
_ONE: Final = rf"\?(?:::{_PLAIN}(?:\([^()]*+\))?+{_PLAIN}(?:\[\]{_PLAIN})*+)?+"
_ROW: Final = rf"\({_ONE}(?:, {_ONE})*\)"
_LIST: Final = re.compile(
    rf"{_QUOTED}|\b(?P<word>IN )\((?:{_ONE}|{_ROW})(?:, (?:{_ONE}|{_ROW}))*\)"
    rf"|\b(?P<array>ARRAY)\[{_ONE}(?:, {_ONE})*\]",
    re.IGNORECASE,
)
_VALUES: Final = re.compile(
    rf"{_QUOTED}|\b(?P<word>VALUES )(?P<row>\([^()]*(?:\([^()]*\)[^()]*)*\))(?:, (?P=row))+", re.IGNORECASE
)


class Fingerprint(NamedTuple):
    """A short hash, the same in every process, and the *text* that it is of."""

    hash: str
    text: str

    def __str__(self) -> str:
        return f"{self.hash} {self.text}"


def fingerprint(statement: str) -> Fingerprint:
    """Even out what may differ between statements of one kind: no literal of *statement* is in what it gives.

    A list after IN, whatever its length, is `(...)`; of the rows of VALUES that are alike there is one.
    """
    return _kept(statement) if len(statement) <= _LONGEST_KEPT else _made(statement)


def _made(statement: str) -> Fingerprint:
    text = _spaced("".join(_evened(statement)))
    text = _VALUES.sub(lambda found: found["quoted"] or found["word"] + found["row"], _LIST.sub(_shortened, text))
    return Fingerprint(blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest(), text)


_kept = lru_cache(maxsize=_KEPT)(_made)


def _evened(statement: str) -> list[str]:
    """Give the parts of *statement*, with ? for literals and placeholders, and a blank for white space and comments."""
    parts: list[str] = []
    at = 0
    while at < len(statement):
        token = _TOKEN.match(statement, at)
        kind = token.lastgroup if token else None
        if kind == "tag":
            kind = "literal"
        if token is None:
            parts.append(statement[at])
            at += 1
        elif kind == "comment":
            parts.append(" ")
            at = _end_of_comment(statement, token.end())
        else:
            parts.append(token[0] if kind == "name" else " " if kind == "space" else "?")
            at = token.end()
    return parts


def _end_of_comment(statement: str, at: int) -> int:
    """Find the end: comments nest."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(statement, at)
        if edge is None:
            return len(statement)
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


_SPACES: Final = re.compile(rf"{_QUOTED}|\s*(?P<comma>,)\s*|(?P<open>[(\[])\s+|\s+(?P<close>[)\]])|\s+")


def _spaced(text: str) -> str:
    return _SPACES.sub(_space, text).strip()


def _space(found: re.Match[str]) -> str:
    if found["comma"]:
        return ", "
    return found["quoted"] or found["open"] or found["close"] or " "


def _shortened(found: re.Match[str]) -> str:
    if found["quoted"]:
        return found["quoted"]
    return f"{found['array']}[...]" if found["array"] else f"{found['word']}(...)"
