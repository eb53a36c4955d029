"""A statement's arguments as literals in its text, since COPY takes none.

The server itself writes each literal, in one statement before, under settings by which every text is exact and read
back as the same value. Where each belongs is found by reading the text as the server does: a `$1` in a string, a quoted
name or a comment is none. Refuses: comments in comments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from dal.errors import CopyError

_EXACT: Final = {"datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "3", "bytea_output": "hex"}
_ESCAPING: Final = r"'(?:[^'\\]|''|\\.)*'"
# What a dollar may stand in without being a parameter's; the order decides.
_SKIPPED: Final = (
    rf"[eE]{_ESCAPING}",
    r"[^\W\d][\w$]*",  # a word
    r'"(?:[^"]|"")*"',
    r"(\$(?:[^\W\d]\w*)?\$).*?\1",
    r"--[^\r\n]*",
    r"/\*.*?\*/",
)


async def with_literals(driver: asyncpg.Connection, prepared: Any, arguments: Sequence[Any]) -> str:
    """Give the text of the *prepared* statement with its *arguments* in it: a round trip or two if there are any.

    In a transaction only. The arguments' types are those that the server found for them.
    """
    sql: str = prepared.get_query()
    if not arguments:
        return sql
    kinds = [_name_of(each) for each in prepared.get_parameters()]
    texts: Any = await driver.fetchval(_asking(kinds), *arguments)
    # With its type each: by itself, a literal may be taken for something else than the parameter was.
    found = [f"({text}::{kind})" for text, kind in zip(texts, kinds, strict=True)]
    is_escaping = driver.get_settings().standard_conforming_strings == "off"
    return replaced(sql, found, is_escaping=is_escaping)


def replaced(sql: str, found: Sequence[str], *, is_escaping: bool) -> str:
    """Put what was *found* for the parameters in their places in *sql*.

    *is_escaping*: whether a backslash means something in every string.
    """
    string = _ESCAPING if is_escaping else r"'(?:[^']|'')*'"
    pattern = "|".join([*_SKIPPED[:1], string, *_SKIPPED[1:], r"\$(?P<number>\d+)"])

    def put(match: re.Match[str]) -> str:
        if match["number"]:
            return found[int(match["number"]) - 1]
        if match[0].startswith("/*") and "/*" in match[0][2:]:
            raise CopyError("a comment in a comment cannot go with parameters: take it out of the statement.")
        return match[0]

    return re.sub(pattern, put, sql, flags=re.DOTALL)


def _asking(kinds: Sequence[str]) -> str:
    """Ask for the literals under `_EXACT`, and leave the settings as they were.

    A list of outputs is worked off from left to right, and OFFSET keeps the inner one apart.
    """
    # format() takes the type's own output, as a cast to text need not.
    texts = ", ".join(f"pg_catalog.format('%L', ${place}::{kind})" for place, kind in enumerate(kinds, 1))
    # An array, for there may be no more than 1,664 columns.
    before = ", ".join(f"pg_catalog.current_setting('{name}') AS {name}" for name in _EXACT)
    change = ", ".join(f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in _EXACT.items())
    restore = ", ".join(f"pg_catalog.set_config('{name}', s.{name}, true)" for name in _EXACT)
    return f"SELECT ARRAY[{texts}]::text[], {restore} FROM (SELECT {before}, {change} OFFSET 0) AS s"  # noqa: S608 # names only


def _name_of(kind: asyncpg.Type) -> str:
    # asyncpg calls the array of a type by the type's name and brackets.
    name, brackets = (kind.name[:-2], "[]") if kind.name.endswith("[]") else (kind.name, "")
    return f"{_quoted(kind.schema)}.{_quoted(name)}{brackets}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
