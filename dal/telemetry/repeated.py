"""N+1: one line of code that sends one statement again and again, each time for another row.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Final, TypeAlias

from dal.call_site import CallSite
from dal.telemetry.fingerprint import Fingerprint
from dal.telemetry.statement import Statement

_TABLE: Final = r'(?P<table>(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)'
_WRITE: Final = re.compile(rf"\s*(?P<verb>INSERT INTO|UPDATE|DELETE FROM) (?:ONLY )?{_TABLE}", re.IGNORECASE)
_READ: Final = re.compile(rf"\bFROM (?:ONLY )?{_TABLE}", re.IGNORECASE)
_COLUMN: Final = r'(?:(?:"[^"]+"|\w+)\.)*("[^"]+"|\w+)'
# The first column that is compared with a value; SQLAlchemy's lazy loads have the value first.
_KEY: Final = re.compile(rf"\b(?:WHERE|AND|ON) (?:{_COLUMN} = \?|\?(?:::[\w ]+)? = {_COLUMN})", re.IGNORECASE)
_INSTEAD_OF: Final = {"INSERT INTO": "insert_many", "UPDATE": "update_many", "DELETE FROM": "delete_many"}

Kind: TypeAlias = tuple[str, CodeType | None, int]


@dataclass(frozen=True, slots=True)
class Repeated:
    """What one line has sent *count* times, what all of them took, and what to write instead."""

    fingerprint: Fingerprint
    call_site: CallSite
    count: int
    rows: int | None
    total_s: float
    advice: str

    def __str__(self) -> str:
        rows = "" if self.rows is None else f" for {self.rows} rows"
        return (
            f"{self.call_site} sent {self.count} times, in {self.total_s * 1000:.1f} ms{rows}: "
            f"{self.fingerprint.text}\n  {self.advice}"
        )


def by_kind(statements: Iterable[Statement]) -> dict[Kind, list[Statement]]:
    """Put together what one line has sent that differs in values only."""
    kinds: dict[Kind, list[Statement]] = {}
    for each in list(statements):
        kinds.setdefault((each.fingerprint.hash, *each.line), []).append(each)
    return kinds


def repeated(statements: Iterable[Statement], *, at_least: int) -> list[Repeated]:
    """Find what a line has sent *at_least* so many times with different parameters, the costliest first."""
    own = (each for each in statements if each.values is not None)
    groups = [group for group in by_kind(own).values() if len(group) >= at_least and _differ(group)]
    return sorted(map(_of, groups), key=lambda each: each.total_s, reverse=True)


def seconds(statements: Iterable[Statement]) -> float:
    """Add up what they took, as far as it is known."""
    return sum(each.elapsed_s or 0.0 for each in statements)


def rows_of(statements: Iterable[Statement]) -> int | None:
    """Add up their rows; None if no number is known."""
    known = [each.rows for each in statements if each.rows is not None]
    return sum(known) if known else None


def _differ(group: Sequence[Statement]) -> bool:
    return len({each.values for each in group}) > 1


def _of(group: Sequence[Statement]) -> Repeated:
    kind = group[0].fingerprint
    return Repeated(kind, group[0].call_site, len(group), rows_of(group), seconds(group), advice_on(kind.text))


def advice_on(text: str) -> str:
    """Say what to write in the place of many statements such as *text*, which has no values in it."""
    write = _WRITE.match(text)
    if write:
        instead = _INSTEAD_OF[write["verb"].upper()]
        return f"Each writes one row of {write['table']}: write all of them with {instead}(...), in one statement."
    read, key = _READ.search(text), _KEY.search(text)
    if not read:
        return "Each is a round trip: ask for all at once."
    what = f"{read['table']} by {key[1] or key[2]}" if key else str(read["table"])
    return (
        f"Each reads {what}: load it with what it belongs to, by options=[selectinload(...)] or a field of the type of "
        "into=; of entities of one unit of work `await entity.awaitable_attrs...` loads it for all, unless "
        "lazy='off'. Rows by key: get_many(keys)."
    )
