"""What a statement does to the tables: as much as the models can be asked about.

Pure. A statement that it does not know has no facts; it is squawk that judges the SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dal.migrations.lint.words import Word, in_parentheses, listed, statements

_LPAREN: Final = Word("sign", "(")
_NOT_NAMES: Final = frozenset({"if", "not", "exists", "only", "concurrently", "column", "constraint"})
_NOT_COLUMNS: Final = frozenset({"constraint", "primary", "unique", "check", "foreign", "exclude", "like"})
_KINDS: Final = frozenset({"temp", "temporary", "unique", "unlogged"})
_ORDERED: Final = frozenset({"btree", "hash"})  # the indexes that find a key


class Did(Enum):
    """The kind of a fact."""

    MADE_TABLE = auto()
    MADE_COLUMN = auto()
    MADE_CONSTRAINT = auto()
    MADE_TYPE = auto()
    DROPPED_TABLE = auto()
    DROPPED_COLUMN = auto()
    DROPPED_CONSTRAINT = auto()
    DROPPED_TYPE = auto()
    REFERENCED = auto()
    """*names* are the columns of a foreign key."""
    INDEXED = auto()
    """*names* are the columns of an index, a unique constraint or a primary key."""
    ADDED_VALUE = auto()
    """*table* is the enum, and *names* the value."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened to a table."""

    did: Did
    table: str
    """With its schema, unless that is public."""
    names: tuple[str, ...] = ()


def facts(sql: str) -> list[Fact]:
    """Read all statements of *sql*."""
    return [fact for words in statements(sql) for fact in _of_statement(words)]


def strings(sql: str) -> set[str]:
    """Give the texts of all literals in *sql*, without those that ALTER TYPE has."""
    return {
        word.text
        for words in statements(sql)
        for word in words
        if word.kind == "string"
        if not _has(words, "alter type")
    }


def dropped_name(part: str) -> str:
    """Name what an action of ALTER TABLE drops, as in `DROP COLUMN IF EXISTS a`."""
    words = [word for words in statements(part) for word in words]
    return next((word.text for word in _after(words[1:])), "")


def full_name(schema: str | None, name: str) -> str:
    """Name a table as `Fact.table` does."""
    return name if schema in (None, "public") else f"{schema}.{name}"


def _of_statement(words: list[Word]) -> Iterator[Fact]:
    plain = [word for word in words[:3] if word.text not in _KINDS] + words[3:]
    if _has(plain, "create table"):
        yield from _create_table(plain[2:])
    elif _has(words, "alter table"):
        table, rest = _name(words[2:])
        for action in listed(rest):
            yield from _action(table, action)
    elif _has(words, "drop table"):
        yield from (Fact(Did.DROPPED_TABLE, _name(each)[0]) for each in listed(words[2:]))
    elif _has(words, "drop type"):
        yield from (Fact(Did.DROPPED_TYPE, _name(each)[0]) for each in listed(words[2:]))
    elif _has(plain, "create index"):
        yield from _create_index(plain)
    elif _has(words, "create type"):
        yield Fact(Did.MADE_TYPE, _name(words[2:])[0])
    elif _has(words, "alter type"):
        yield from _alter_type(words[2:])


def _create_table(words: list[Word]) -> Iterator[Fact]:
    table, rest = _name(words)
    yield Fact(Did.MADE_TABLE, table)
    for element in listed(in_parentheses(rest)):
        yield from _element(table, element)


def _element(table: str, words: list[Word]) -> Iterator[Fact]:
    """Read a column or a constraint, as CREATE TABLE and ADD have it."""
    if not words:
        return
    if words[0].kind == "name" and words[0].text in _NOT_COLUMNS:
        yield from _constraint(table, words)
        return
    column = words[0].text
    yield Fact(Did.MADE_COLUMN, table, (column,))
    said = {word.text for word in words[1:] if word.kind == "name"}
    if "references" in said:
        yield Fact(Did.REFERENCED, table, (column,))
    if said & {"primary", "unique"}:
        yield Fact(Did.INDEXED, table, (column,))


def _constraint(table: str, words: list[Word]) -> Iterator[Fact]:
    if _has(words, "constraint"):
        yield Fact(Did.MADE_CONSTRAINT, table, tuple(word.text for word in words[1:2]))
        words = words[2:]
    columns = tuple(each[0].text for each in listed(in_parentheses(words)) if each)
    if _has(words, "foreign key"):
        yield Fact(Did.REFERENCED, table, columns)
    elif _has(words, "primary key") or _has(words, "unique"):
        yield Fact(Did.INDEXED, table, columns)


def _action(table: str, words: list[Word]) -> Iterator[Fact]:
    if _has(words, "add"):
        yield from _element(table, words[1:] if _has(words, "add constraint") else _after(words[1:]))
    elif _has(words, "rename to"):
        schema = table.rpartition(".")[0] or None
        yield Fact(Did.MADE_TABLE, full_name(schema, _name(words[2:])[0]))
    elif _has(words, "rename constraint"):
        yield Fact(Did.MADE_CONSTRAINT, table, (words[-1].text,))
    elif _has(words, "rename"):
        yield Fact(Did.MADE_COLUMN, table, (words[-1].text,))
    elif _has(words, "drop") and _after(words[1:]):
        did = Did.DROPPED_CONSTRAINT if _has(words, "drop constraint") else Did.DROPPED_COLUMN
        yield Fact(did, table, (_after(words[1:])[0].text,))


def _create_index(words: list[Word]) -> Iterator[Fact]:
    at = next((number for number, word in enumerate(words) if word == Word("name", "on")), len(words))
    table, rest = _name(words[at + 1 :])
    if _has(rest, "using") and len(rest) > 1 and rest[1].text not in _ORDERED:
        return
    elements = listed(in_parentheses(rest))
    columns = [each[0].text if each and each[0].is_name and _LPAREN not in each else "" for each in elements]
    yield Fact(Did.INDEXED, table, tuple(columns))


def _alter_type(words: list[Word]) -> Iterator[Fact]:
    name, rest = _name(words)
    if _has(rest, "add value"):
        yield from (Fact(Did.ADDED_VALUE, name, (word.text,)) for word in _after(rest[2:])[:1])


def _has(words: list[Word], beginning: str) -> bool:
    """Tell whether *words* begin with these keywords."""
    wanted = beginning.split()
    return [word.text for word in words[: len(wanted)] if word.kind == "name"] == wanted


def _after(words: list[Word]) -> list[Word]:
    """Leave out the keywords before a name."""
    while words and words[0].kind == "name" and words[0].text in _NOT_NAMES:
        words = words[1:]
    return words


def _name(words: list[Word]) -> tuple[str, list[Word]]:
    """Take a name, with its schema, off *words*."""
    parts = _after(words)
    taken = [parts[0].text] if parts else [""]
    rest = parts[1:]
    while len(rest) > 1 and rest[0] == Word("sign", "."):
        taken.append(rest[1].text)
        rest = rest[2:]
    return full_name(".".join(taken[:-1]) or None, taken[-1]), rest
