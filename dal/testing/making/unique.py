"""Values that never repeat: for single columns, and for columns that are unique together.

Refuses: knowing what is in the database. A member of a group whose value the server or a function makes, or that
stays NULL, makes the whole row of the group distinct as far as can be known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, TypeAlias

from sqlalchemy import Column
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from dal.errors import FactoryError
from dal.testing.making import mapping
from dal.testing.making.values import Values, combine

Group: TypeAlias = tuple[Column[Any], ...]


class Uniques:
    """What one factory has used up, by unique constraint: tables, not classes, have those."""

    def __init__(self) -> None:
        self._next: dict[Group, Iterable[int]] = defaultdict(count)
        self._taken: dict[Group, set[tuple[str, ...]]] = defaultdict(set)
        # An entity counts by its id(), which is its own only as long as it lives.
        self._kept: list[object] = []

    def choose(
        self, mapper: Mapper[Any], groups: Sequence[Group], free: Mapping[str, Values], known: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Choose a value for each of *free* that repeats in none of *groups*, given the *known* attributes.

        Raises `FactoryError` when all are taken.
        """
        chosen: dict[str, Any] = {}
        for group in groups:
            parts = {
                name: values
                for name, values in free.items()
                if name not in chosen and not mapping.columns_behind(mapper, name).isdisjoint(group)
            }
            chosen |= self._unused(mapper, group, parts, {**known, **chosen}) if parts else {}
        for group in groups:
            self._taken[group].update(self._key(mapper, group, {**known, **chosen}))
        return chosen

    def _unused(
        self, mapper: Mapper[Any], group: Group, parts: dict[str, Values], known: dict[str, Any]
    ) -> dict[str, Any]:
        candidates = combine(parts)
        for _, n in zip(range(candidates.size), self._next[group], strict=False):
            found: dict[str, Any] = candidates.nth(n % candidates.size)
            if self._taken[group].isdisjoint(self._key(mapper, group, known | found)):
                return found
        columns = ", ".join(str(column) for column in group)
        raise FactoryError(f"all {candidates.size} values of {', '.join(parts)} are used in unique ({columns})")

    def _key(self, mapper: Mapper[Any], group: Group, values: dict[str, Any]) -> list[tuple[str, ...]]:
        """Give the one row of *group*, none if it cannot be known or is not constrained."""
        behind = {column: value for name, value in values.items() for column in mapping.columns_behind(mapper, name)}
        row = [self._mark(column, behind) for column in group]
        return [tuple(row)] if None not in row else []

    def _mark(self, column: Column[Any], behind: Mapping[Column[Any], Any]) -> Any:
        default = column.default
        value = behind.get(column, default.arg if isinstance(default, ScalarElementColumnDefault) else None)
        if value is not None and column.foreign_keys and hasattr(value, "_sa_instance_state"):
            self._kept.append(value)
            return f"entity {id(value)}"
        return None if value is None else repr(value)
