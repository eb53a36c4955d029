"""The rules that squawk cannot have: they ask the models, all revisions, or the whole of one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from dal.migrations.lint.facts import Did, Fact, facts, strings
from dal.migrations.lint.finding import Finding, Statement
from dal.migrations.lint.models import Models
from dal.migrations.lint.rules import ENUM_VALUE_USED, FOREIGN_KEY_WITHOUT_INDEX, NOT_ATOMIC
from dal.migrations.lint.words import statements as words_of

_SETTINGS: Final = frozenset({"set", "reset"})


def foreign_keys_without_index(statements: Sequence[Statement], models: Models) -> Iterator[Finding]:
    """Find foreign keys with no index that begins with their columns, in the models and in any revision.

    A delete of what they refer to reads the whole table, for each row. One that a later revision, or the models, no
    longer have is left alone.
    """
    known = [(number, fact) for number, each in enumerate(statements) for fact in facts(each.sql)]
    indexes = {fact for _, fact in known if fact.did is Did.INDEXED} | models.indexes
    dropped = {fact.table: number for number, fact in known if fact.did is Did.DROPPED_TABLE}
    for number, fact in known:
        if fact.did is not Did.REFERENCED or dropped.get(fact.table, -1) > number or not _is_there(fact, models):
            continue
        if not any(_begins_with(index, fact) for index in indexes):
            names = ", ".join(fact.names)
            yield statements[number].place.finding(
                FOREIGN_KEY_WITHOUT_INDEX,
                f"The foreign key {fact.table}({names}) has no index: "
                f"a delete of what it refers to reads all of {fact.table}.",
                help=f"mapped_column(..., index=True), and op.create_index_concurrently(...) on {fact.table}({names}).",
                sql=statements[number].sql,
            )


def not_atomic(statements: Iterable[Statement]) -> Iterator[Finding]:
    """Find revisions of which a part is committed when the rest fails."""
    for _, group in groupby(statements, key=lambda each: each.place.revision):
        by_line: dict[int, list[Statement]] = {}
        for each in group:
            if not _is_setting(each):
                by_line.setdefault(each.place.line, []).append(each)
        alone = [sent for sent in by_line.values() if not _is_of_one_transaction(sent)]
        if alone and len(alone) < len(by_line):
            lines = ", ".join(str(line) for line, sent in sorted(by_line.items()) if sent not in alone)
            yield alone[0][0].place.finding(
                NOT_ATOMIC,
                f"This is committed apart from the rest of the revision, line {lines}: a failure leaves half of it.",
                help="Set it alone in a revision of its own.",
                sql=alone[0][0].sql,
            )


def enum_values_used(statements: Iterable[Statement]) -> Iterator[Finding]:
    """Find values of an enum used in the transaction that adds them, which the server refuses."""
    for _, block in groupby((each for each in statements if each.in_transaction), key=lambda each: each.block):
        made: set[str] = set()
        added: dict[str, str] = {}
        for each in block:
            done = facts(each.sql)
            made |= {fact.table for fact in done if fact.did is Did.MADE_TYPE}
            added |= {
                fact.names[0]: fact.table for fact in done if fact.did is Did.ADDED_VALUE and fact.table not in made
            }
            for value in sorted(strings(each.sql) & added.keys()):
                yield each.place.finding(
                    ENUM_VALUE_USED,
                    f"{value!r} is used in the transaction that adds it to {added[value]}: the server refuses that.",
                    help="Add the value in a revision before this one.",
                    sql=each.sql,
                )


def _is_there(key: Fact, models: Models) -> bool:
    """Tell whether the models have this foreign key; of a table that they do not know, they cannot say."""
    return key.table not in models.columns or (key.table, frozenset(key.names)) in models.foreign_keys


def _begins_with(index: Fact, key: Fact) -> bool:
    return index.table == key.table and set(index.names[: len(key.names)]) == set(key.names)


def _is_of_one_transaction(sent: list[Statement]) -> bool:
    return all(each.in_transaction for each in sent) and len({each.block for each in sent}) == 1


def _is_setting(statement: Statement) -> bool:
    return all(words[0].text in _SETTINGS for words in words_of(statement.sql))
