"""What the models have, as the lint asks for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from dal.migrations.enum_types import enum_within
from dal.migrations.lint.facts import Did, Fact, full_name


@dataclass(frozen=True, slots=True)
class Models:
    """Tables by the names that `Fact.table` gives them."""

    columns: dict[str, frozenset[str]]
    constraints: dict[str, frozenset[str]]
    types: frozenset[str]
    foreign_keys: frozenset[tuple[str, frozenset[str]]]
    indexes: frozenset[Fact]
    """As facts of `Did.INDEXED`."""

    def have(self, dropped: Fact) -> bool:
        """Tell whether the models have what was dropped."""
        if dropped.did is Did.DROPPED_TYPE:
            return dropped.table in self.types
        if dropped.did is Did.DROPPED_CONSTRAINT:
            return bool(self.constraints.get(dropped.table, frozenset()) & set(dropped.names))
        columns = self.columns.get(dropped.table)
        return columns is not None and columns >= set(dropped.names)


def models_of(metadata: Iterable[MetaData]) -> Models:
    """Gather what all of *metadata* have."""
    tables = {full_name(table.schema, table.name): table for each in metadata for table in each.tables.values()}
    return Models(
        columns={name: frozenset(_names(table.columns)) for name, table in tables.items()},
        constraints={name: frozenset(_constraint_names(table)) for name, table in tables.items()},
        types=frozenset(type_ for table in tables.values() for type_ in _types(table)),
        foreign_keys=frozenset(
            (name, frozenset(_names(key.columns)))
            for name, table in tables.items()
            for key in table.foreign_key_constraints
        ),
        indexes=frozenset(Fact(Did.INDEXED, name, each) for name, table in tables.items() for each in _indexes(table)),
    )


def _indexes(table: Table) -> Iterator[tuple[str, ...]]:
    for index in table.indexes:
        yield tuple(str(getattr(each, "name", "")) for each in index.expressions)
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            yield _names(constraint.columns)


def _constraint_names(table: Table) -> Iterator[str]:
    for constraint in table.constraints:
        yield str(constraint.name) if constraint.name else _name_by_server(table.name, constraint)


def _name_by_server(table: str, constraint: Constraint) -> str:
    """Name a constraint as PostgreSQL does where the models do not."""
    match constraint:
        case PrimaryKeyConstraint():
            return f"{table}_pkey"
        case ForeignKeyConstraint():
            return "_".join([table, *_names(constraint.columns), "fkey"])
        case UniqueConstraint():
            return "_".join([table, *_names(constraint.columns), "key"])
        case CheckConstraint():
            return f"{table}_check"
        case _:
            return ""


def _types(table: Table) -> Iterator[str]:
    for column in table.columns:
        kind = enum_within(column.type)
        if kind is not None and kind.name:
            yield full_name(kind.schema, kind.name)


def _names(columns: Iterable[Column[Any]]) -> tuple[str, ...]:
    """Name them as the table does; a model may know one by another key."""
    return tuple(column.name for column in columns)
