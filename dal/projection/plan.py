"""What a projection reads: one SELECT for the root and one for each collection, and how their rows become objects.

Pure values. Refuses: SQL text, and deciding what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select

from dal.errors import ProjectionError
from dal.projection.shape import Maker


@dataclass(frozen=True, slots=True, eq=False)
class FromColumn:
    """A value of the row itself."""

    index: int


@dataclass(frozen=True, slots=True, eq=False)
class FromColumns:
    """Several values of the row in one, such as a composite."""

    indexes: tuple[int, ...]
    make: Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """An object of the same row, which is there if the column at *present* is not NULL.

    *required* names the relationship that may not be None.
    """

    node: Node
    present: int
    required: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """What the statement of *child* gave for this row; *make* makes the field's value of a list."""

    child: Child
    make: Callable[[list[Any]], Any]


Value: TypeAlias = FromColumn | FromColumns | Joined | Collected


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One type at one place: *maker* takes a column of values for each of *values*; *plain* if all are columns."""

    maker: Maker
    values: tuple[Value, ...]
    plain: tuple[int, ...] | None

    @classmethod
    def of(cls, maker: Maker, values: Sequence[Value]) -> Node:
        """Make one, and look whether all its values are columns of the row."""
        plain = tuple(value.index for value in values if isinstance(value, FromColumn))
        return cls(maker, tuple(values), plain if len(plain) == len(values) else None)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One SELECT: its columns, the many-to-ones that ride in it, what to group by if anything, and what it is for."""

    columns: tuple[ColumnElement[Any], ...]
    joins: tuple[Any, ...]
    groups: tuple[ColumnElement[Any], ...] | None
    node: Node
    children: tuple[Child, ...]

    def project(self, statement: Select[Any]) -> Select[Any]:
        """Let a SELECT of the entity read this level's columns instead, then those that it has beside the entity."""
        if statement._distinct:  # noqa: SLF001 # there is no public name for it
            raise ProjectionError(
                "DISTINCT would be of what is read, not of the entities: take relationship.any(...) in the place "
                "of the join, or select columns."
            )
        beside: list[Any] = [each["expr"] for each in statement.column_descriptions[1:]]
        columns: list[Any] = [*self.columns, *beside]
        projected: Any = statement.with_only_columns(*columns, maintain_column_froms=True)
        return self.joined(projected, beside)

    def joined(self, statement: Select[Any], beside: Sequence[Any] = ()) -> Select[Any]:
        """Add the many-to-ones, and what to group by."""
        for join in self.joins:
            statement = statement.outerjoin(join)
        return statement if self.groups is None else statement.group_by(*self.groups, *beside)


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A relationship's rows for all parents at once: *statement* is bound to an array for each of `key_names`.

    *parent* are the columns of the parents' level that say which rows are theirs; the same values stand in the
    columns *own* of this statement, after those of its level.
    """

    level: Level
    statement: Select[Any]
    parent: tuple[int, ...]
    own: tuple[int, ...]


def key_names(count: int) -> tuple[str, ...]:
    """Give the names of the parameters that take the parents' keys: an array for each of *count* columns."""
    return tuple(f"keys_{place}" for place in range(count))
