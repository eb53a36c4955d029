"""Rows to objects, column by column, so that the loops run in C.

Pure, but for the clock of who wants to know how long it took.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, starmap
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias

from dal.errors import ProjectionError
from dal.projection.plan import Child, Collected, FromColumn, FromColumns, Joined, Level, Node, Value

Processor: TypeAlias = Callable[[Any], Any]

# Rows are turned into columns by so many: with all in one go they leave the cache, which takes three times as long; and
# with more than 700 Python's collector starts for each part, which takes half as long again.
ROWS_AT_ONCE: Final = 500


class Decoded(Protocol):
    """What the rows are the answer to."""

    def decoded(self, seconds: float) -> None:
        """Note that objects were made of rows."""
        ...


@dataclass(slots=True)
class Rows:
    """What a statement gave; what is still to be done to each column's values, if anything; and what belongs to it."""

    rows: Sequence[Any]
    processors: Sequence[Processor | None] | None = None
    children: dict[Child, Rows] = field(default_factory=dict)
    # Hears how long it took to make objects of them.
    statement: Decoded | None = None

    def column(self, index: int) -> Iterable[Any]:
        """Give the values of one column."""
        return _processed(map(itemgetter(index), self.rows), self.processors, index)

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
    if rows.statement is None:
        return _made(level, rows, groups)
    started = time.perf_counter()
    objects = _made(level, rows, groups)
    rows.statement.decoded(time.perf_counter() - started)
    return objects


def _made(level: Level, rows: Rows, groups: _Groups) -> list[Any]:
    found = rows.rows
    if len(found) <= ROWS_AT_ONCE:
        return _objects(level.node, _Part(tuple(zip(*found, strict=True)), rows.processors, groups)) if found else []
    objects: list[Any] = []
    for start in range(0, len(found), ROWS_AT_ONCE):
        columns = tuple(zip(*found[start : start + ROWS_AT_ONCE], strict=True))
        objects += _objects(level.node, _Part(columns, rows.processors, groups))
    return objects


def by_key(child: Child, rows: Rows) -> Mapping[Any, list[Any]]:
    """Make an object of every row, and give them by the key of their parent; an empty list for every other key."""
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    for key, each in zip(rows.keys(child.own), assemble(child.level, rows), strict=True):
        groups[key].append(each)
    return groups


def apart(level: Level, rows: Rows) -> Iterator[Rows]:
    """Give each row by itself with what belongs to it: what is made of one shares nothing with the others."""
    shelves: dict[Child, Mapping[Any, list[Any]]] = {}
    for row in rows.rows:
        yield _narrowed(level, rows, [row], shelves)


def _narrowed(level: Level, rows: Rows, chosen: Sequence[Any], shelves: dict[Child, Mapping[Any, list[Any]]]) -> Rows:
    """Give the rows that are *chosen*, with what belongs to them and no others; *shelves* are kept for the next."""
    narrowed = Rows(chosen, rows.processors)
    for child in level.children if chosen else ():
        whole = rows.children[child]
        shelf = shelves.get(child)
        if shelf is None:
            shelves[child] = shelf = _shelved(whole.keys(child.own), whole.rows)
        wanted = dict.fromkeys(narrowed.keys(child.parent))
        own = [row for key in wanted for row in shelf.get(key, ())]
        narrowed.children[child] = _narrowed(child.level, whole, own, shelves)
    return narrowed


def _shelved(keys: Sequence[Any], rows: Sequence[Any]) -> Mapping[Any, list[Any]]:
    shelf: defaultdict[Any, list[Any]] = defaultdict(list)
    for key, row in zip(keys, rows, strict=True):
        shelf[key].append(row)
    return shelf


@dataclass(slots=True)
class _Part:
    """Some of the rows as columns."""

    columns: tuple[tuple[Any, ...], ...]
    processors: Sequence[Processor | None] | None
    groups: _Groups

    def column(self, index: int) -> Iterable[Any]:
        return _processed(self.columns[index], self.processors, index)

    def keys(self, indexes: tuple[int, ...]) -> Iterable[Any]:
        columns = [self.column(index) for index in indexes]
        return columns[0] if len(columns) == 1 else zip(*columns, strict=True)

    def where(self, there: list[bool]) -> _Part:
        return _Part(tuple(tuple(compress(each, there)) for each in self.columns), self.processors, self.groups)


def _processed(values: Iterable[Any], processors: Sequence[Processor | None] | None, index: int) -> Iterable[Any]:
    process = processors[index] if processors else None
    return values if process is None else map(process, values)


def _objects(node: Node, part: _Part) -> list[Any]:
    if node.plain is not None and not part.processors:
        return node.maker([part.columns[index] for index in node.plain])
    return node.maker([_values(value, part) for value in node.values])


def _values(value: Value, part: _Part) -> Iterable[Any]:
    match value:
        case FromColumn():
            return part.column(value.index)
        case FromColumns():
            return starmap(value.make, zip(*map(part.column, value.indexes), strict=True))
        case Joined():
            return _joined(value, part)
        case Collected():
            return map(value.make, map(part.groups[value.child].__getitem__, part.keys(value.child.parent)))


def _joined(value: Joined, part: _Part) -> Iterable[Any]:
    presence = part.columns[value.present]
    if None not in presence:
        return _objects(value.node, part)
    if value.required is not None:
        raise ProjectionError(
            f"{value.required} leads to no row, in {presence.count(None)} of {len(presence)} rows, and the type has no "
            "None there. Annotate the field with `| None`; or is the row hidden from this role?"
        )
    there = [present is not None for present in presence]
    objects = iter(_objects(value.node, part.where(there)) if any(there) else ())
    return [next(objects) if is_there else None for is_there in there]
