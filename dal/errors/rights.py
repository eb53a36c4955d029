"""Which rights a statement takes, by its own words, which are SQL's in every country.

A server says what it denies in its own language, and never which right. What comes of this is advice for who has to
grant: a view, a trigger or a function may take more. Refuses: knowing a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_NAME: Final = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))*'
_TEXT: Final = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL)
_MADE_HERE: Final = re.compile(
    rf"(?:\bWITH(?:\s+RECURSIVE)?|,)\s+({_NAME})\s+AS\s+(?:(?:NOT\s+)?MATERIALIZED\s+)?\(", re.I
)
_NO_CALL: Final = r'(?![\w$."]|\s*\()'
# What a table may have to allow, by the words before its name.
_TAKEN: Final = (
    (re.compile(rf"\bINSERT\s+INTO\s+({_NAME})", re.I), "INSERT"),
    (re.compile(rf"(?<!\bDO )(?<!\bFOR )(?<!\bKEY )\bUPDATE\s+(?:ONLY\s+)?({_NAME}){_NO_CALL}", re.I), "UPDATE"),
    (re.compile(rf"\bDELETE\s+FROM\s+(?:ONLY\s+)?({_NAME}){_NO_CALL}", re.I), "DELETE"),
    (re.compile(rf"\bTRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?({_NAME}){_NO_CALL}", re.I), "TRUNCATE"),
    (re.compile(rf"(?<!\bDELETE )\b(?:FROM|JOIN|USING|LIKE)\s+(?:ONLY\s+)?({_NAME}){_NO_CALL}", re.I), "SELECT"),
)
_COPIED: Final = re.compile(rf"\s*COPY\s+({_NAME})\s*(?:\([^)]*\))?\s*(FROM|TO)\b", re.I)
_READS_ITSELF: Final = re.compile(r"\b(?:RETURNING|WHERE|DO\s+UPDATE)\b", re.I)
_OVERWRITES: Final = re.compile(r"\bDO\s+UPDATE\b", re.I)
_LOCKS: Final = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|SHARE|KEY\s+SHARE)\b", re.I)
_OWNED: Final = re.compile(r"\s*(?:ALTER|DROP|REINDEX|COMMENT|CREATE\s+(?:UNIQUE\s+)?INDEX|ANALYZE|VACUUM)\b", re.I)
# What is longer is a list of values, or a script.
_MOST: Final = 4_000
_CREATED: Final = re.compile(r"\s*CREATE\s+(?!TEMP)", re.I)


def rights_of(statement: str) -> str:
    """Say which rights *statement* takes on what, such as `INSERT, SELECT on account`; empty if it does not tell."""
    told = _TEXT.sub(" ", statement[:_MOST])
    if _OWNED.match(told):
        return "the owner of what it changes"
    rights: dict[str, set[str]] = {}
    for name, right in _taken(told):
        rights.setdefault(name, set()).add(right)
    made = ["CREATE on the schema"] if _CREATED.match(told) else []
    return ", and ".join(made + [f"{', '.join(sorted(each))} on {name}" for name, each in sorted(rights.items())])


def _taken(told: str) -> Iterator[tuple[str, str]]:
    if copied := _COPIED.match(told):
        yield copied[1], "INSERT" if copied[2].upper() == "FROM" else "SELECT"
        return
    made_here = {made[1] for made in _MADE_HERE.finditer(told)}
    more = _more(told)
    for words, right in _TAKEN:
        for name in {found[1] for found in words.finditer(told)} - made_here:
            yield name, right
            yield from ((name, other) for other in more.get(right, ()))


def _more(told: str) -> dict[str, tuple[str, ...]]:
    """Say what else a right comes with, in a statement that reads what it writes, or locks what it reads."""
    reads = ("SELECT",) if _READS_ITSELF.search(told) else ()
    overwrites = ("UPDATE",) if _OVERWRITES.search(told) else ()
    locks = ("UPDATE",) if _LOCKS.search(told) else ()
    return {"INSERT": reads + overwrites, "UPDATE": reads, "DELETE": reads, "SELECT": locks}
