"""Rows drawn at random for any tables, with foreign keys that lead somewhere, and how they are put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Table

from dal import Database

Rows: TypeAlias = dict[Table, list[dict[str, Any]]]
# What a value of a column is, for a number that is its row's.
ByType: TypeAlias = Mapping[Any, Callable[[Random, int], Any]]

BY_TYPE: ByType = {
    int: lambda random, _: random.randint(0, 4),
    str: lambda random, _: random.choice(["", "a", "Ab", "x'y", "é %s"]),
    date: lambda random, _: date(2026, 1, random.randint(1, 28)),
}
KEYS: ByType = {int: lambda _, number: number, str: lambda _, number: f"k{number}", UUID: lambda _, n: UUID(int=n)}


def rows_of(random: Random, tables: Sequence[Table], kinds: Mapping[str, str] | None = None, at_most: int = 4) -> Rows:
    """Draw rows for *tables*, parents before children; *kinds* names the tables that have a row for each of a kind."""
    made: Rows = {}
    for table in tables:
        rows: list[dict[str, Any]] = []
        made[table] = rows
        kind = (kinds or {}).get(table.name)
        for number in range(1, random.randint(0, at_most) + 1) if kind is None else _parents_of(made, table, kind):
            row = _row(random, made, table, number)
            if row is not None and not any(_is_same(table, row, other) for other in rows):
                rows.append(row)
    return made


async def replace(db: Database, rows: Rows) -> None:
    """Make these the only rows."""
    async with db.engine.begin() as connection:
        for table in reversed(list(rows)):
            await connection.execute(table.delete())
        for table, several in rows.items():
            if several:
                await connection.execute(table.insert(), several)


def _parents_of(made: Rows, table: Table, kind: str) -> list[int]:
    constraint = next(each for each in table.foreign_key_constraints if _has_keys_of(table, each))
    return [row["id"] for row in made[constraint.referred_table] if row["kind"] == kind]


def _has_keys_of(table: Table, constraint: ForeignKeyConstraint) -> bool:
    return all(column.primary_key for column in constraint.columns) and len(table.primary_key) == 1


def _row(random: Random, made: Rows, table: Table, number: int) -> dict[str, Any] | None:
    row: dict[str, Any] = {}
    for constraint in sorted(table.foreign_key_constraints, key=lambda each: str(each.column_keys)):
        if len(table.columns) > 1 and _has_keys_of(table, constraint) and "kind" in constraint.referred_table.columns:
            row[next(iter(constraint.columns)).name] = number
            continue
        found = _referred(random, made, constraint)
        if found is None:
            return None
        row.update(found)
    for column in table.columns:
        if column.name not in row:
            row[column.name] = _value(random, column, number)
    return row


def _referred(random: Random, made: Rows, constraint: ForeignKeyConstraint) -> dict[str, Any] | None:
    """Give the values of a foreign key: NULL where that may be, None if there is nobody to refer to."""
    names = {element.parent.name: element.column.name for element in constraint.elements}
    there = [row for row in made[constraint.referred_table] if all(row[name] is not None for name in names.values())]
    may_be_null = all(column.nullable for column in constraint.columns)
    if may_be_null and (not there or random.random() < 0.25):
        return dict.fromkeys(names)
    if not there:
        return None
    row = random.choice(there)
    return {own: row[name] for own, name in names.items()}


def _value(random: Random, column: Column[Any], number: int) -> Any:
    if column.name == "kind":
        return random.choice(column.info["kinds"])
    drawn = column.info.get("drawn")
    if column.primary_key or column.unique:
        drawn = drawn or KEYS[column.type.python_type]
    drawn = drawn or BY_TYPE[column.type.python_type]
    return None if column.nullable and random.random() < 0.3 else drawn(random, number)


def _is_same(table: Table, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[column.name] == other[column.name] for column in table.primary_key)
