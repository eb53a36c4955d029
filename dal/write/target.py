"""The table that a mapped class is written to: which attribute is which column, and what the mapping fills in.

Pure. Refuses: joined inheritance, where one row of the class is rows of several tables.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, inspect
from sqlalchemy.orm import Mapper, QueryableAttribute

from dal.errors import WriteError


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """`columns` maps the name of each attribute that is a column of `table`; `key` are those of the primary key."""

    mapper: Mapper[Any]
    table: Table
    columns: dict[str, Column[Any]]
    key: tuple[Column[Any], ...]

    def column(self, name: str) -> Column[Any]:
        """Give the column of an attribute; raises `WriteError` for a name that is none."""
        if name not in self.columns:
            raise self._unknown(name)
        return self.columns[name]

    def columns_of(self, attributes: Iterable[QueryableAttribute[Any] | str]) -> list[Column[Any]]:
        """Give the columns of mapped attributes of this class, or of their names."""
        return [self.column(each if isinstance(each, str) else each.key) for each in attributes]

    def labelled(self, attributes: Sequence[QueryableAttribute[Any]]) -> list[ColumnElement[Any]]:
        """Give the columns of *attributes*, called like them."""
        return [column.label(each.key) for each, column in zip(attributes, self.columns_of(attributes), strict=True)]

    def name_of(self, column: Column[Any]) -> str:
        """Say how the attribute of *column* is called."""
        return next((name for name, each in self.columns.items() if each is column), column.name)

    def _unknown(self, name: str) -> WriteError:
        by_column = [attribute for attribute, column in self.columns.items() if column.name == name]
        near = by_column or difflib.get_close_matches(name, self.columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"It has {', '.join(map(repr, self.columns))}."
        model = self.mapper.class_.__name__
        return WriteError(
            f"{model} has no attribute {name!r} that is a column of its table: {hint} Nothing was written."
        )


@cache
def target_of(model: type[Any]) -> Target:
    """Find the table of a mapped class."""
    mapper: Mapper[Any] = inspect(model)
    table = mapper.local_table
    if not isinstance(table, Table) or mapper.persist_selectable is not table:
        raise WriteError(
            f"{model.__name__} is spread over several tables, which one statement cannot write: "
            f"use add() and delete(), or write the tables one by one."
        )
    columns = {
        each.key: each.columns[0]
        for each in mapper.column_attrs
        if isinstance(each.columns[0], Column) and each.columns[0].table is table
    }
    return Target(mapper, table, columns, tuple(table.c[column.key] for column in mapper.primary_key))
