"""Entities for tests, from their mapping alone: `make = Factory(); make(Order, status="open")`.

An entity has what the database demands and nothing more. Refuses: saving it, and guessing what a CHECK constraint
wants, which no mapping tells: answer that with `Factory.define`.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final, TypeVar

from sqlalchemy import Column
from sqlalchemy.orm import Mapper

from dal.testing.making import mapping
from dal.testing.making.column_types import is_range
from dal.testing.making.unique import Uniques
from dal.testing.making.values import values_of

E = TypeVar("E")
# Numbers below this are easily read; a value that may repeat needs no others.
_CHOICES: Final = 10_000


class Factory:
    """Makes new, unsaved entities that the database accepts.

    A column that is NOT NULL gets a value of its type, unless it has a default or the server fills it; a required
    many-to-one gets an entity of its own. The rest stays unset. What is unique is counted, whatever the seed, and never
    repeats within one factory, which knows nothing of other factories, nor of rows that are there already. The same
    *seed* and the same calls give the same values, in every process.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)  # noqa: S311 - values for tests
        self._standing: dict[type, dict[str, Any]] = {}
        self._uniques = Uniques()

    def __call__(self, entity: type[E], /, **overrides: Any) -> E:
        """Make an *entity* with the attributes of *overrides*; a callable is called with the factory for its value.

        Nothing is made for a relationship given by itself or by a column of its foreign key, also if that is None.
        Raises `FactoryError`, in one line, for a name that is no attribute, a type it has no values for, a required
        foreign key without a relationship, required relationships in a circle, and when a unique column has no unused
        value left.
        """
        return self._make(entity, overrides, ())

    def many(self, entity: type[E], count: int, /, **overrides: Any) -> list[E]:
        """Make *count* entities with the same *overrides*; callables are called for each."""
        return [self(entity, **overrides) for _ in range(count)]

    def define(self, entity: type[Any], /, **overrides: Any) -> None:
        """Keep *overrides* for every *entity* to come, and for its subclasses; those of a call go before.

        A callable is called with the factory for each: `make.define(Order, total_price=lambda make: Decimal(1))`.
        """
        mapper = mapping.mapper_of(entity, abstract=True)
        mapping.check_names(mapper, overrides)
        self._standing[entity] = mapping.merge(mapper, self._standing.get(entity, {}), overrides)

    def _make(self, entity: type[E], overrides: Mapping[str, Any], chain: tuple[type, ...]) -> E:
        mapper = mapping.mapper_of(entity)
        mapping.check_names(mapper, overrides)
        given = self._given(mapper, overrides)
        needs = mapping.needs(mapper, given)
        chain = (*chain, entity)
        values: dict[str, Any] = {}
        for name, relationship in needs.relationships.items():
            mapping.no_circle(chain, name, relationship.entity.class_)
            values[name] = self._make(relationship.entity.class_, {}, chain)
        values |= self._values(mapper, needs.columns, values | given)
        return mapping.construct(entity, values | given)

    def _given(self, mapper: Mapper[Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for kind in reversed(mapper.class_.__mro__):
            given = mapping.merge(mapper, given, self._standing.get(kind, {}))
        given = mapping.merge(mapper, given, overrides)
        return {name: value(self) if callable(value) else value for name, value in given.items()}

    def _values(
        self, mapper: Mapper[Any], columns: Mapping[str, Column[Any]], known: Mapping[str, Any]
    ) -> dict[str, Any]:
        groups = mapping.unique_groups(mapper)
        # Ranges as well: most have an exclusion constraint, which often names its columns in text.
        groups += [(column,) for column in columns.values() if is_range(column.type) and (column,) not in groups]
        unique = {column for group in groups for column in group}
        values = {name: self._any(column) for name, column in columns.items() if column not in unique}
        free = {name: values_of(column) for name, column in columns.items() if column in unique}
        return values | self._uniques.choose(mapper, groups, free, known)

    def _any(self, column: Column[Any]) -> Any:
        values = values_of(column)
        return values.nth(self._random.randrange(min(values.size, _CHOICES)))
