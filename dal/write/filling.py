"""What the mapping adds to rows that do not say it: defaults, values on update, the discriminator, the version.

Pure. A column that the server fills (server default, identity, computed) is left to it. Python's defaults are called
once for each row; those that are SQL become part of the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement
from sqlalchemy.schema import DefaultGenerator, Sequence

from dal.errors import WriteError
from dal.write.rows import Rows
from dal.write.target import Target


@dataclass(slots=True)
class Filled:
    """The rows with what is computed here, and the expressions that the server computes for every row."""

    rows: Rows
    inlined: dict[Column[Any], ColumnElement[Any]] = field(default_factory=dict)


def filled_for_insert(rows: Rows, target: Target) -> Filled:
    """Add what an INSERT needs; a generated key that is None in every row is left to the server."""
    filled = Filled(Rows(rows.count, dict(rows.values)))
    for column in target.key:
        values = filled.rows.values.get(column)
        if values and values[0] is None and all(value is None for value in values):
            del filled.rows.values[column]
    mapper = target.mapper
    _add_constant(filled, target, mapper.polymorphic_on, mapper.polymorphic_identity)
    generator = mapper.version_id_generator
    if mapper.version_id_col is not None and callable(generator):
        _add_constant(filled, target, mapper.version_id_col, generator(None))
    _add_generated(filled, ((column, column.default) for column in target.table.columns))
    return filled


def filled_for_update(rows: Rows, target: Target) -> Filled:
    """Add what the columns' `onupdate` gives for each row."""
    filled = Filled(Rows(rows.count, dict(rows.values)))
    _add_generated(filled, ((column, column.onupdate) for column in target.table.columns))
    return filled


def set_on_update(target: Target, given: Iterable[Column[Any]]) -> dict[Column[Any], Any]:
    """Give what an update sets beside the columns *given*: `onupdate`, called once for the whole statement."""
    known = set(given)
    values: dict[Column[Any], Any] = {}
    for column in target.table.columns:
        generator: Any = column.onupdate
        if generator is not None and column not in known:
            values[column] = generator.arg(_NoRow(column)) if generator.is_callable else generator.arg
    version = target.mapper.version_id_col
    if isinstance(version, Column) and version not in known and callable(target.mapper.version_id_generator):
        values[version] = version + 1
    return values


def _add_constant(filled: Filled, target: Target, column: Any, value: Any) -> None:
    if isinstance(column, Column) and column.table is target.table and column not in filled.rows.values:
        filled.rows.values[column] = [value] * filled.rows.count


def _add_generated(filled: Filled, generators: Iterable[tuple[Column[Any], DefaultGenerator | None]]) -> None:
    rows = filled.rows
    for column, given in generators:
        generator: Any = given
        if generator is None or column in rows.values or generator.is_sentinel:
            continue
        if isinstance(generator, Sequence):
            filled.inlined[column] = generator.next_value()
        elif generator.is_clause_element:
            filled.inlined[column] = generator.arg
        elif generator.is_callable:
            rows.values[column] = _called(generator.arg, rows)
        else:
            rows.values[column] = [generator.arg] * rows.count


def _called(function: Callable[[Any], Any], rows: Rows) -> list[Any]:
    return [function(_Row(rows, index)) for index in range(rows.count)]


class _Row:
    """What a default that looks at its row gets instead of SQLAlchemy's execution context."""

    def __init__(self, rows: Rows, index: int) -> None:
        self._rows = rows
        self._index = index

    def get_current_parameters(self, isolate_multiinsert_groups: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 # SQLAlchemy's signature
        """Give the row's values by the column's key, as far as they are known."""
        return {column.key: values[self._index] for column, values in self._rows.values.items()}

    @property
    def current_parameters(self) -> dict[str, Any]:
        """The same, as SQLAlchemy has it too."""
        return self.get_current_parameters()


class _NoRow:
    """What an `onupdate` gets that is called for all rows together."""

    def __init__(self, column: Column[Any]) -> None:
        self._column = column

    def get_current_parameters(self, isolate_multiinsert_groups: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 # SQLAlchemy's signature
        """Refuse: which rows will be updated is known to the server alone."""
        raise WriteError(
            f"the onupdate of column {self._column.name!r} looks at its row, which an upsert does not know: "
            "give the attribute in every row and in update=. Nothing was written."
        )

    current_parameters = property(get_current_parameters)
