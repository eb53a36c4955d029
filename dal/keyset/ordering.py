"""An ordering: of what elements the rows of a class are ordered, so that no two of them stand at one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnExpressionArgument, Table, UniqueConstraint, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.exc import UnmappedColumnError

from dal.errors import KeysetError
from dal.keyset.bookmark import checked_keys, digest_of
from dal.keyset.element import Element, element_of, own_tables

OrderBy = ColumnExpressionArgument[Any] | Sequence[ColumnExpressionArgument[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Ordering:
    """Made once, it saves each page the making; and it is where keys to sign bookmarks with are given.

    `keys`: the first signs, all of them verify. `digest` tells orderings apart, the same in every process.
    """

    model: type[Any]
    elements: tuple[Element, ...]
    digest: bytes
    keys: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, model: type[Any], order_by: OrderBy = (), *, keys: Sequence[bytes] = ()) -> Ordering:
        """Read *order_by*, and append the primary key unless some columns of it are unique and not NULL already.

        What comes behind those orders nothing, and is left out. Raises `KeysetError` for an element of no known type,
        of another table, or of a type without an order.
        """
        mapper: Mapper[Any] = inspect(model)
        elements = _until_unique(mapper, [element_of(mapper, each) for each in _listed(order_by)])
        words = "\n".join([model.__name__, *(each.words for each in elements)])
        return cls(model, elements, digest_of(words), checked_keys(keys))

    @classmethod
    def for_page(cls, model: type[Any], order_by: OrderBy | Ordering) -> Ordering:
        """Take an ordering that was made once for *model* or a class above it, or make one."""
        if not isinstance(order_by, Ordering):
            return cls.of(model, order_by)
        if not issubclass(model, order_by.model):
            raise KeysetError(f"the ordering is of {order_by.model.__name__}, and the page is of {model.__name__}.")
        return order_by


def _listed(order_by: Any) -> Sequence[Any]:
    return order_by if isinstance(order_by, Sequence) and not isinstance(order_by, str) else (order_by,)


def _until_unique(mapper: Mapper[Any], given: Sequence[Element]) -> tuple[Element, ...]:
    is_descending = bool(given) and given[-1].is_descending
    elements: list[Element] = []
    names: set[str | None] = set()
    unique = list(_unique(mapper))
    for element in (*given, *_key(mapper, is_descending=is_descending)):
        if any(each <= names for each in unique):
            break
        if element.attribute is None or element.attribute not in names:
            elements.append(element)
            names.add(element.attribute)
    return tuple(elements)


def _key(mapper: Mapper[Any], *, is_descending: bool) -> list[Element]:
    # In the direction of what is before it, so that one index serves both.
    names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    attributes = [getattr(mapper.class_, name) for name in names]
    return [element_of(mapper, each.desc() if is_descending else each.asc()) for each in attributes]


def _unique(mapper: Mapper[Any]) -> list[set[str]]:
    """List the sets of attributes in which no two rows are alike, and none is NULL."""
    found = [list(mapper.primary_key)]
    for table in own_tables(mapper):
        found += _unique_of(table)
    return [names for names in (_attributes(mapper, columns) for columns in found) if names]


def _unique_of(table: Table) -> list[list[Any]]:
    constraints = [
        list(each.columns)
        for each in table.constraints
        if isinstance(each, UniqueConstraint) and not each.deferrable  # between statements two rows may be alike
    ]
    indexes = [
        list(each.expressions)
        for each in table.indexes
        if each.unique and each.dialect_options["postgresql"]["where"] is None
    ]
    return [columns for columns in constraints + indexes if _never_null(columns)]


def _never_null(columns: Sequence[Any]) -> bool:
    return all(isinstance(each, Column) and not each.nullable for each in columns)


def _attributes(mapper: Mapper[Any], columns: Sequence[Any]) -> set[str]:
    try:
        return {mapper.get_property_by_column(each).key for each in columns}
    except UnmappedColumnError:
        return set()
