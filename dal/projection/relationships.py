"""The rows of a relationship for any number of parents in one statement, whose keys are arrays.

So a thousand parents and one are the same prepared statement. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, and_, any_, bindparam, column, func, select, true
from sqlalchemy.orm import RelationshipDirection, RelationshipProperty, aliased
from sqlalchemy.orm.util import AliasedInsp

from dal.projection.markers import Load
from dal.projection.plan import Level, key_names


@dataclass(frozen=True, slots=True, eq=False)
class Related:
    """How a relationship's rows are found: *own* are the columns in its SELECT that equal the parent's *keys*.

    *through* is what else stands in FROM: the secondary table, or the parents themselves.
    """

    entity: Any
    keys: tuple[str, ...]
    own: tuple[ColumnElement[Any], ...]
    through: tuple[tuple[Any, Any], ...] = ()
    parents: Any = None

    def statement(self, level: Level, load: Load) -> Select[Any]:
        """Read *level*, then the own columns, of all whose keys are in the arrays."""
        rows = level.joined(self._from(select(*level.columns, *self.own)).where(*load.where), self.own)
        if load.limit is None:
            return self._among(rows).order_by(*load.order_by)
        return self._limited(rows, load)

    def _from(self, statement: Select[Any]) -> Select[Any]:
        if self.parents is not None:
            return statement.select_from(self.parents).join(self.through[0][1])
        statement = statement.select_from(self.entity)
        for table, on in self.through:
            statement = statement.join(table, on)
        return statement

    def _among(self, rows: Select[Any]) -> Select[Any]:
        if len(self.own) == 1:
            (own,), (name,) = self.own, key_names(1)
            return rows.where(own == any_(bindparam(name, type_=ARRAY(own.type))))
        keys = self._keys()
        return rows.join(keys, and_(*(own == key for own, key in zip(self.own, keys.c, strict=True))))

    def _limited(self, rows: Select[Any], load: Load) -> Select[Any]:
        """Take the first rows of each parent; a nested loop over the parents keeps their order."""
        keys = self._keys()
        here = [own == key for own, key in zip(self.own, keys.c, strict=True)]
        first = rows.where(*here).order_by(*load.order_by).limit(load.limit).lateral()
        return select(*first.c).select_from(keys).join(first, true())

    def _keys(self) -> Any:
        names = key_names(len(self.own))
        arrays = [bindparam(name, type_=ARRAY(own.type)) for name, own in zip(names, self.own, strict=True)]
        columns = [column(name, own.type) for name, own in zip(names, self.own, strict=True)]
        return func.unnest(*arrays).table_valued(*columns).render_derived(name="parents")


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
    own = tuple(remote for _, remote in pairs)
    if prop.secondary is None:
        mapped = tuple(getattr(entity, prop.mapper.get_property_by_column(remote).key) for remote in own)
        return Related(entity, keys, mapped)
    return Related(entity, keys, own, ((prop.secondary, prop.secondaryjoin),))


def _through_parents(prop: RelationshipProperty[Any], entity: Any) -> Related:
    parents = aliased(prop.parent.entity, flat=True)
    keys = tuple(prop.parent.get_property_by_column(key).key for key in prop.parent.primary_key)
    own = tuple(getattr(parents, key) for key in keys)
    return Related(entity, keys, own, ((entity, getattr(parents, prop.key)),), parents)


def _is_plain(condition: ColumnElement[bool], pairs: Sequence[tuple[Any, Any]]) -> bool:
    """Tell whether the join is nothing but equalities of its columns, each used once."""
    equal = and_(*(local == remote for local, remote in pairs))
    return condition.compare(equal) or condition.compare(and_(*(remote == local for local, remote in pairs)))
