"""What keeps everybody, or all writers, away for as long as a table is large, and squawk has no rule for. Pure.

Refuses: tables that their own revision makes, which are empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

from dal.migrations.lint.facts import Did, facts
from dal.migrations.lint.finding import Finding, Statement
from dal.migrations.lint.rules import LONG_LOCK
from dal.migrations.lint.words import Word, listed, statements

# Since this version squawk finds these two.
_REPACK_SINCE: Final = 19
_SERIAL: Final = frozenset({"bigserial", "serial", "serial2", "serial4", "serial8", "smallserial"})
_NOT_NAMES: Final = frozenset({"column", "exists", "if", "not"})
_EXPAND: Final = "Add it nullable and without a default, op.backfill it, and set the default for new rows."
_BACKFILL: Final = "op.backfill(table, {column: value}, where=...), in a revision of its own."
_BY_HAND: Final = "Do it by hand while nobody needs the table, or copy into a new one."
_CHECK: Final = "Add the column, op.add_check_not_valid(...), and op.validate_constraint(...) in a revision of its own."
_ATTACH: Final = (
    "First op.add_check_not_valid(...) of the bounds on the partition, and op.validate_constraint(...) in a revision "
    "of its own: then no row is read here. If that is done, or the partition is empty, ignore this."
)
_REFRESH: Final = "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view."
_REWRITES: Final = "It writes the table anew, with everybody waiting."
_DOMAIN: Final = "ADD CONSTRAINT ... CHECK (VALUE IS NOT NULL) NOT VALID to the domain, and validate it later."

_Said = tuple[str, str]


def long_locks(judged: Sequence[Statement], pg_version: str) -> Iterator[Finding]:
    """Find them in what no operation of dal sends."""
    major = pg_version.partition(".")[0]
    version = int(major) if major.isdecimal() else 0  # squawk refuses what is none
    for _, of_revision in groupby(judged, key=lambda each: each.place.revision):
        made: set[str] = set()
        for each in of_revision:
            done = facts(each.sql)
            made |= {fact.table for fact in done if fact.did is Did.MADE_TABLE}
            new = {part for name in made for part in (name, name.rpartition(".")[2])}
            for words in statements("" if each.by_dal else each.sql):
                said = _said(words, new, version)
                if said is not None:
                    yield each.place.finding(LONG_LOCK, said[0], help=said[1], sql=each.sql)


def _said(words: list[Word], new: set[str], version: int) -> _Said | None:  # noqa: PLR0911 # one for each statement
    if any(word.is_name and word.text in new for word in words):
        return None
    said = [word.text if word.kind == "name" else "" for word in words]
    match said:
        case ["vacuum", *rest] if version < _REPACK_SINCE and "full" in rest:
            return _REWRITES, _BY_HAND
        case ["cluster", *_] if version < _REPACK_SINCE:
            return _REWRITES, _BY_HAND
        case ["refresh", "materialized", "view", after, *_] if after != "concurrently":
            return "Nobody can read the view until it is made anew.", _REFRESH
        case [("update" | "delete"), *rest] if "where" not in rest:
            return "It locks every row of the table until the revision ends.", _BACKFILL
        case ["alter", "domain", *rest] if rest[-3:] == ["set", "not", "null"]:
            return "It reads every table that has the domain, with their writers waiting.", _DOMAIN
        case ["alter", ("table" | "index"), *_] | ["alter", "materialized", "view", *_]:
            return next(filter(None, map(_of_action, listed(words))), None)
        case _:
            return None


def _of_action(words: list[Word]) -> _Said | None:
    said = [word.text if word.kind == "name" else "" for word in words]
    pairs = set(pairwise(said))
    if pairs & {("set", "logged"), ("set", "unlogged"), ("set", "tablespace"), ("set", "access")}:
        return _REWRITES, _BY_HAND
    if pairs & {("attach", "partition"), ("split", "partition"), ("merge", "partitions")}:
        return "It reads every row of the partition, with everybody who wants it waiting.", _ATTACH
    return _of_new_column(said[said.index("add") + 1 :]) if "add" in said else None


def _of_new_column(said: list[str]) -> _Said | None:
    if said[:1] in (["check"], ["constraint"]):
        return None
    while said and said[0] in _NOT_NAMES:
        said = said[1:]
    kind = said[1:]
    if not _SERIAL.isdisjoint(kind) and "primary" not in kind:  # a key is squawk's to find
        return "A number for each row: it writes the table anew, with everybody waiting.", _EXPAND
    if "check" in kind:
        return "It reads every row for the CHECK, with everybody waiting.", _CHECK
    return None
