"""Hypothesis strategies of entities, from their mapping. Needs hypothesis.

Every example is an entity of its own: nothing is unique between examples, nor between the entities of one list.
Refuses: saving, and guessing what a CHECK constraint wants; pass a strategy for those columns.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Column
from sqlalchemy.orm import ColumnProperty, QueryableAttribute

from dal.errors import FactoryError, extra_needed
from dal.testing.making import mapping

with extra_needed("testing"):
    from hypothesis.strategies import SearchStrategy, fixed_dictionaries, just, none

    from dal.testing.making.drawing import strategy_of

__all__ = ["column_values", "entities"]

E = TypeVar("E")
T = TypeVar("T")


def entities(entity: type[E], /, **overrides: Any) -> SearchStrategy[E]:
    """Draw new, unsaved entities with values from each column's whole range; *overrides* are values or strategies.

    Columns that the server fills stay unset, as do foreign keys that may be NULL; an entity is drawn for each required
    many-to-one, unless it or a column of its foreign key is given. Written and read again, an entity is as it was.
    Raises `FactoryError` as `Factory` does, when called and not when drawn from.
    """
    return _entities(entity, overrides, ())


def column_values(attribute: QueryableAttribute[T]) -> SearchStrategy[T]:
    """Draw values of one column, None among them if it is nullable: `column_values(Order.total_price)`."""
    mapped = getattr(attribute, "property", None)
    column = mapped.columns[-1] if isinstance(mapped, ColumnProperty) else None
    if not isinstance(column, Column):
        raise FactoryError(f"{attribute} is not mapped to a column")
    return _values(column)


def _entities(entity: type[E], overrides: dict[str, Any], chain: tuple[type, ...]) -> SearchStrategy[E]:
    mapper = mapping.mapper_of(entity)
    mapping.check_names(mapper, overrides)
    needs = mapping.needs(mapper, overrides)
    chain = (*chain, entity)
    drawn: dict[str, SearchStrategy[Any]] = {}
    for name, relationship in needs.relationships.items():
        mapping.no_circle(chain, name, relationship.entity.class_)
        drawn[name] = _entities(relationship.entity.class_, {}, chain)
    written = {column for name in overrides for column in mapping.columns_behind(mapper, name)}
    columns = mapping.settable_columns(mapper).items()
    drawn |= {name: _values(column) for name, column in columns if column not in written}
    drawn |= {name: value if isinstance(value, SearchStrategy) else just(value) for name, value in overrides.items()}
    return fixed_dictionaries(drawn).map(partial(mapping.construct, entity))


def _values(column: Column[Any]) -> SearchStrategy[Any]:
    values = strategy_of(column)
    return none() | values if column.nullable else values
