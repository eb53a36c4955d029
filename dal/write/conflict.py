"""What two rows must not share: the primary key, a constraint or a unique index, by attributes or by name.

Pure. Refuses: guessing between several partial indexes of the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Constraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.schema import ColumnCollectionConstraint

from dal.errors import WriteError
from dal.write.target import Target

On: TypeAlias = str | Sequence[QueryableAttribute[Any]]


@dataclass(frozen=True, slots=True)
class Arbiter:
    """`keys` are columns or expressions; `where` is the predicate of a partial index; `constraint` a name, if given."""

    keys: tuple[ColumnElement[Any], ...]
    where: Any = None
    constraint: str | None = None
    nulls_distinct: bool = True

    @property
    def columns(self) -> list[Column[Any]]:
        """The keys that are plain columns."""
        return [each for each in self.keys if isinstance(each, Column)]

    @property
    def is_plain(self) -> bool:
        """Tell whether equal columns are all there is to a conflict."""
        return bool(self.keys) and self.where is None and len(self.columns) == len(self.keys)


def arbiter_of(on: On, target: Target) -> Arbiter:
    """Find what decides a conflict *on* these attributes, or on what has this name; by default the primary key."""
    if isinstance(on, str):
        return _named(on, target)
    if not on:
        return Arbiter(target.key)
    columns = target.columns_of(on)
    uniques = [each for each in _arbiters(target).values() if set(each.columns) == set(columns)]
    whole = [each for each in uniques if each.is_plain]
    if whole:
        # NULLs are told apart only if every constraint of these columns does.
        return Arbiter(tuple(columns), nulls_distinct=all(each.nulls_distinct for each in whole))
    partial = [each for each in uniques if each.where is not None]
    if len(partial) > 1:
        raise WriteError(
            f"{len(partial)} partial unique indexes of {target.table.fullname!r} have these columns: "
            "give the name of one as on=. Nothing was written."
        )
    return partial[0] if partial else Arbiter(tuple(columns))


def _named(name: str, target: Target) -> Arbiter:
    known = _arbiters(target)
    if name not in known:
        names = ", ".join(map(repr, known)) or "none with a name"
        raise WriteError(
            f"{target.table.fullname!r} has no constraint or unique index {name!r}; it has {names}. "
            "Give attributes as on= for one that the mapping does not know. Nothing was written."
        )
    return known[name]


def _arbiters(target: Target) -> dict[str, Arbiter]:
    table = target.table
    constraints = sorted(table.constraints, key=lambda each: str(each.name))
    found = {str(each.name): _of_constraint(each) for each in constraints if isinstance(each, _CONSTRAINTS)}
    indexes = sorted((each for each in table.indexes if each.unique), key=lambda each: str(each.name))
    return found | {str(each.name): _of_index(each) for each in indexes}


_CONSTRAINTS = (PrimaryKeyConstraint, UniqueConstraint, postgresql.ExcludeConstraint)


def _of_constraint(constraint: Constraint) -> Arbiter:
    assert isinstance(constraint, ColumnCollectionConstraint)  # noqa: S101 # _CONSTRAINTS are
    name = None if constraint.name is None else str(constraint.name)
    if isinstance(constraint, postgresql.ExcludeConstraint):
        return Arbiter((), constraint=name)
    if isinstance(constraint, PrimaryKeyConstraint):
        return Arbiter(tuple(constraint.columns))
    distinct = not constraint.dialect_options["postgresql"]["nulls_not_distinct"]
    return Arbiter(tuple(constraint.columns), nulls_distinct=distinct)


def _of_index(index: Index) -> Arbiter:
    options = index.dialect_options["postgresql"]
    keys: tuple[Any, ...] = tuple(index.expressions)
    return Arbiter(keys, where=options["where"], nulls_distinct=not options["nulls_not_distinct"])
