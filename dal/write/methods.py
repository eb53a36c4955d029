"""The methods of a repository that write many rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from sqlalchemy import ColumnExpressionArgument, Row
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute

from dal.projection import ProjectionSource
from dal.write import change
from dal.write.conflict import On
from dal.write.duplicates import Duplicates
from dal.write.insert import insert_rows
from dal.write.target import Target, target_of
from dal.write.upsert import Upsert, Upserted, Where, upsert_rows

E = TypeVar("E", bound=DeclarativeBase)


class WritesInSets(Generic[E]):
    """Rows are mappings by attribute, dataclasses, msgspec structs or entities, all with the same attributes.

    Each call is all or nothing. Up to two thousand rows are one statement and, outside a unit of work, one round trip;
    more go through COPY, in a transaction. See docs/writing.md.
    """

    _source: ProjectionSource

    @property
    def _target(self) -> Target:
        return target_of(self.model)  # type: ignore[attr-defined] # the repository's

    @overload
    async def insert_many(self, rows: Iterable[Any]) -> int: ...
    @overload
    async def insert_many(
        self, rows: Iterable[Any], *, returning: Sequence[QueryableAttribute[Any]]
    ) -> Sequence[Row[Any]]: ...
    async def insert_many(
        self, rows: Iterable[Any], *, returning: Sequence[QueryableAttribute[Any]] = ()
    ) -> int | Sequence[Row[Any]]:
        """Insert the rows and give their number; with *returning* give these attributes, in the order of the rows.

        The mapping's defaults are applied. Given entities are read and left as they are: `add` is what tracks them.
        """
        return await insert_rows(self._source, self._target, rows, returning)

    @overload
    async def upsert_many(
        self,
        rows: Iterable[Any],
        *,
        on: On = (),
        update: Sequence[QueryableAttribute[Any]] | None = None,
        where: Where | None = None,
        duplicates: Duplicates = "last",
    ) -> Upserted: ...
    @overload
    async def upsert_many(
        self,
        rows: Iterable[Any],
        *,
        on: On = (),
        update: Sequence[QueryableAttribute[Any]] | None = None,
        where: Where | None = None,
        duplicates: Duplicates = "last",
        returning: Sequence[QueryableAttribute[Any]],
    ) -> Sequence[Row[Any]]: ...
    async def upsert_many(
        self,
        rows: Iterable[Any],
        *,
        on: On = (),
        update: Sequence[QueryableAttribute[Any]] | None = None,
        where: Where | None = None,
        duplicates: Duplicates = "last",
        returning: Sequence[QueryableAttribute[Any]] = (),
    ) -> Upserted | Sequence[Row[Any]]:
        """Insert the rows, or update those whose key is there; count both, or give the rows written.

        *on* is the key: attributes, or the name of a constraint or unique index; the primary key by default. *update*
        are the attributes to set, by default all that the rows have but keys; none leaves what is there alone. *where*
        is a condition for updating, or a function that is given the rows proposed: `lambda new: Order.rev < new.rev`.
        Of two rows with one key the last wins, or `WriteError` is raised. With *returning* come the rows that were
        inserted or updated, in the order of the input.
        """
        asked = Upsert(on, update, where, duplicates, returning)
        return await upsert_rows(self._source, self._target, rows, asked)

    async def update_many(self, rows: Iterable[Any]) -> int:
        """Update by primary key, which every row has beside what to change; give the number of rows that were there.

        Of two rows with one key the last wins.
        """
        return await change.update_rows(self._source, self._target, rows)

    async def delete_many(self, identities: Iterable[Any]) -> int:
        """Delete by primary key, given as `get` takes it, without the mapping's cascades; give the number deleted."""
        return await change.delete_rows(self._source, self._target, identities)

    async def update_where(self, values: Mapping[str, Any], *where: ColumnExpressionArgument[bool]) -> int:
        """Set attributes to values or expressions where every condition holds; `sqlalchemy.true()` is for all rows."""
        return await change.update_where(self._source, self._target, values, where)

    async def delete_where(self, *where: ColumnExpressionArgument[bool]) -> int:
        """Delete where every condition holds, without the mapping's cascades; `sqlalchemy.true()` is for all rows."""
        return await change.delete_where(self._source, self._target, where)
