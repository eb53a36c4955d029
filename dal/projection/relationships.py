"""The rows of a relationship for any number of parents in one statement, whose keys are arrays.

So a thousand parents and one are the same prepared statement. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, inspect, select, true
from sqlalchemy.orm import RelationshipDirection, RelationshipProperty, aliased
from sqlalchemy.orm.util import AliasedInsp
from sqlalchemy.sql.util import ClauseAdapter

from dal.projection.keys import among, equal, is_told_apart, table_of
from dal.projection.markers import Load
from dal.projection.plan import Level


@dataclass(frozen=True, slots=True, eq=False)
class Related:
    """How a relationship's rows are found: *own* are the columns in its SELECT that equal the parent's *keys*.

    *types* are those of the keys. *through* is what else stands in FROM: the secondary table, or the parents.
    """

    entity: Any
    keys: tuple[str, ...]
    own: tuple[ColumnElement[Any], ...]
    types: tuple[Any, ...]
    through: tuple[tuple[Any, Any], ...] = ()
    parents: Any = None

    def statement(self, level: Level, load: Load) -> Select[Any]:
        """Read *level*, then the keys, of all whose keys are in the arrays."""
        if load.limit is not None:
            return self._limited(level, load)
        condition = among(self.own[0], self.types[0]) if len(self.own) == 1 and self._is_told_apart() else None
        if condition is not None:
            return self._rows(level, load, self.own).where(condition).order_by(*load.order_by)
        keys = table_of(self.types)
        rows = self._rows(level, load, self._named(self.own, keys))
        return rows.join(keys, and_(*self._here(keys))).order_by(*load.order_by)

    def _rows(self, level: Level, load: Load, beside: Sequence[Any]) -> Select[Any]:
        statement: Any = select(*level.columns, *beside)
        statement = statement.select_from(self.entity if self.parents is None else self.parents)
        for table, on in self.through:
            statement = statement.join(table, on)
        return level.joined(statement.where(*load.where), beside)

    def _limited(self, level: Level, load: Load) -> Select[Any]:
        """Take the first rows of each parent; a nested loop over the parents keeps their order."""
        keys = table_of(self.types)
        rows = self._rows(level, load, self.own).where(*self._here(keys))
        first = rows.order_by(*load.order_by).limit(load.limit).lateral()
        columns, own = [*first.c][: len(level.columns)], [*first.c][len(level.columns) :]
        limited: Any = select(*columns, *self._named(own, keys))
        return limited.select_from(keys).join(first, true())  # type: ignore[no-any-return] # of any number of columns

    def _here(self, keys: Any) -> list[ColumnElement[bool]]:
        return [equal(own, key) for own, key in zip(self.own, keys.c, strict=True)]

    def _is_told_apart(self) -> bool:
        return all(is_told_apart(own.type, kind) for own, kind in zip(self.own, self.types, strict=True))

    def _named(self, own: Sequence[Any], keys: Any) -> list[Any]:
        """Give what tells in Python whose a row is."""
        return list(own if self._is_told_apart() else keys.c)


def is_joined(prop: RelationshipProperty[Any]) -> bool:
    """Tell whether the relationship is a many-to-one, whose row can ride in the SELECT of its parent."""
    is_many_to_one = prop.direction is RelationshipDirection.MANYTOONE and not prop.uselist
    return is_many_to_one and prop.secondary is None and not isinstance(prop.entity, AliasedInsp)


def may_be_absent(prop: RelationshipProperty[Any]) -> bool:
    """Tell whether a parent may have nobody there, as far as the columns' nullability tells."""
    return not is_joined(prop) or any(column.nullable for column in prop.local_columns)


def related(prop: RelationshipProperty[Any]) -> Related:
    """Find the leanest way to the rows of *prop*: by their own foreign key, by the secondary table, by the parents."""
    entity = prop.entity.entity
    if isinstance(prop.entity, AliasedInsp):
        return _through_parents(prop, entity)
    pairs = prop.synchronize_pairs if prop.secondary is not None else prop.local_remote_pairs
    if prop.direction is RelationshipDirection.MANYTOONE or not _is_plain(prop.primaryjoin, pairs):
        return _through_parents(prop, entity)
    keys = tuple(prop.parent.get_property_by_column(local).key for local, _ in pairs)
    types = tuple(local.type for local, _ in pairs)
    own = tuple(remote for _, remote in pairs)
    if prop.secondary is None:
        mapped = tuple(getattr(entity, prop.mapper.get_property_by_column(remote).key) for remote in own)
        return Related(entity, keys, mapped, types)
    return Related(entity, keys, own, types, ((prop.secondary, prop.secondaryjoin),))


def _through_parents(prop: RelationshipProperty[Any], entity: Any) -> Related:
    parents = aliased(prop.parent.entity, flat=True)
    keys = tuple(prop.parent.get_property_by_column(key).key for key in prop.parent.primary_key)
    own = tuple(getattr(parents, key) for key in keys)
    types = tuple(column.type for column in own)
    if prop.secondary is None:
        return Related(entity, keys, own, types, ((entity, getattr(parents, prop.key)),), parents)
    # SQLAlchemy would join an alias of the secondary table, of which order_by= and where= know nothing.
    on = ClauseAdapter(inspect(parents).selectable).traverse(prop.primaryjoin)
    return Related(entity, keys, own, types, ((prop.secondary, on), (entity, prop.secondaryjoin)), parents)


def _is_plain(condition: ColumnElement[bool], pairs: Sequence[tuple[Any, Any]]) -> bool:
    """Tell whether the join is nothing but equalities of its columns, each used once."""
    equal = and_(*(local == remote for local, remote in pairs))
    return condition.compare(equal) or condition.compare(and_(*(remote == local for local, remote in pairs)))
