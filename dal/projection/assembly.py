"""Rows to objects, column by column, so that the loops run in C.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from operator import itemgetter
from typing import Any, TypeAlias

from dal.errors import ProjectionError
from dal.projection.plan import Child, Collected, FromColumn, FromColumns, Joined, Level, Node, Value

Processor: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement gave; what is still to be done to each column's values, if anything; and what belongs to it."""

    rows: Sequence[Any]
    processors: Sequence[Processor | None] | None = None
    children: dict[Child, Rows] = field(default_factory=dict)

    def column(self, index: int) -> Iterable[Any]:
        """Give the values of one column."""
        values = map(itemgetter(index), self.rows)
        process = self.processors[index] if self.processors is not None else None
        return values if process is None else map(process, values)

    def keys(self, indexes: tuple[int, ...]) -> list[Any]:
        """Give what identifies somebody in each row: a value, or a tuple of several."""
        columns = [self.column(index) for index in indexes]
        return list(columns[0]) if len(columns) == 1 else list(zip(*columns, strict=True))

    def among(self, rows: Sequence[Any]) -> Rows:
        """Give some of the rows, with what belongs to all."""
        return Rows(rows, self.processors, self.children)


# What the rows of each child are, by the key of their parent.
_Groups: TypeAlias = Mapping[Child, Mapping[Any, list[Any]]]


def assemble(level: Level, rows: Rows) -> list[Any]:
    """Make an object of every row; called again, it makes others of the same rows."""
    groups = {child: by_key(child, rows.children[child]) for child in level.children} if rows.rows else {}
    return _objects(level.node, rows, groups) if rows.rows else []


def by_key(child: Child, rows: Rows) -> Mapping[Any, list[Any]]:
    """Make an object of every row, and give them by the key of their parent; an empty list for every other key."""
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    for key, each in zip(rows.keys(child.own), assemble(child.level, rows), strict=True):
        groups[key].append(each)
    return groups


def _objects(node: Node, rows: Rows, groups: _Groups) -> list[Any]:
    return node.maker([_values(value, rows, groups) for value in node.values])


def _values(value: Value, rows: Rows, groups: _Groups) -> Iterable[Any]:
    match value:
        case FromColumn():
            return rows.column(value.index)
        case FromColumns():
            return starmap(value.make, zip(*map(rows.column, value.indexes), strict=True))
        case Joined():
            return _joined(value, rows, groups)
        case Collected():
            return map(value.make, map(groups[value.child].__getitem__, rows.keys(value.child.parent)))


def _joined(value: Joined, rows: Rows, groups: _Groups) -> Iterable[Any]:
    presence = list(map(itemgetter(value.present), rows.rows))
    if None not in presence:
        return _objects(value.node, rows, groups)
    if value.required is not None:
        raise ProjectionError(
            f"{value.required} leads to no row, in {presence.count(None)} of {len(presence)} rows, and the type has no "
            "None there. Annotate the field with `| None`; or is the row hidden from this role?"
        )
    there = [row for row, present in zip(rows.rows, presence, strict=True) if present is not None]
    objects = iter(_objects(value.node, rows.among(there), groups) if there else ())
    return [None if present is None else next(objects) for present in presence]
