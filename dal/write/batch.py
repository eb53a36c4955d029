"""Rows ready to be sent: bound values with their types on the wire, and what the server adds to them.

Pure, given a dialect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Dialect, FromClause, cast

from dal.write.filling import Filled
from dal.write.wire import Wire, bound, wire_of

Shape: TypeAlias = tuple[tuple[Column[Any], Wire], ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """One column of what is sent."""

    column: Column[Any]
    wire: Wire
    values: list[Any]

    def expression(self, source: FromClause) -> ColumnElement[Any]:
        """Turn what arrived in *source* into what the column takes."""
        arrived: ColumnElement[Any] = source.c[self.column.name]
        # The type's own function around a value, such as a geometry's constructor.
        wrapped = self.column.type.bind_expression(arrived)  # type: ignore[arg-type] # it asks for a BindParameter, and wraps any element
        if wrapped is not None:
            return wrapped
        return cast(arrived, self.column.type) if self.wire.cast else arrived

    def picked(self, positions: list[int]) -> Sent:
        """Keep the values at *positions*."""
        return replace(self, values=[self.values[position] for position in positions])


@dataclass(frozen=True, slots=True)
class Batch:
    """`count` rows; `inlined` are expressions that the server computes for every row."""

    count: int
    sent: tuple[Sent, ...]
    inlined: dict[Column[Any], ColumnElement[Any]]

    @property
    def shape(self) -> Shape:
        """What a statement over arrays depends on, other than their values."""
        return tuple((each.column, each.wire) for each in self.sent)

    @property
    def columns(self) -> list[Column[Any]]:
        """The columns that a statement writes, in the order of `expressions`."""
        return [*(each.column for each in self.sent), *self.inlined]

    def expressions(self, source: FromClause) -> list[ColumnElement[Any]]:
        """Give what is written into `columns`."""
        return [*(each.expression(source) for each in self.sent), *self.inlined.values()]

    def of(self, column: Column[Any]) -> Sent | None:
        """Find what is sent for *column*, if the rows have it."""
        return next((each for each in self.sent if each.column is column), None)

    def picked(self, positions: list[int]) -> Batch:
        """Keep the rows at *positions*, in their order."""
        return Batch(len(positions), tuple(each.picked(positions) for each in self.sent), self.inlined)


def empty_batch(shape: Shape) -> Batch:
    """Give what statements are built from, without rows."""
    return Batch(0, tuple(Sent(column, wire, []) for column, wire in shape), {})


def batch_of(filled: Filled, dialect: Dialect) -> Batch:
    """Bind every value."""
    sent = []
    for column, raw in filled.rows.values.items():
        values = bound(column, raw, dialect)
        sent.append(Sent(column, wire_of(column, values, dialect), values))
    return Batch(filled.rows.count, tuple(sent), filled.inlined)
