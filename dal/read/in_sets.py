"""The methods of a repository that read whatever satisfies conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar, overload

from sqlalchemy import ColumnExpressionArgument, Select, func, select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.interfaces import ORMOption

from dal.errors import ProjectionError, UnitOfWorkError
from dal.keyset import Count, CountAs, Counting, OrderBy, Ordering, Page, Window
from dal.locks import RowLock, Strength
from dal.projection import assemble, fetch, plan_of, read, stream, stream_entities
from dal.read.encoding import encoder_of
from dal.read.reading import Into, Reading, refuse_options
from dal.read.statement import select_where
from dal.read.stream import Stream

E = TypeVar("E", bound=DeclarativeBase)
T = TypeVar("T")

# What a message of the protocol can ask for at once.
_MOST_IN_BATCH: Final = 2**31 - 1


class ReadsInSets(Reading[E]):
    """Conditions are SQLAlchemy's expressions."""

    @overload
    async def list(
        self,
        *where: ColumnExpressionArgument[bool],
        order_by: OrderBy = (),
        limit: int | None = None,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
    ) -> Sequence[E]: ...
    @overload
    async def list(
        self,
        *where: ColumnExpressionArgument[bool],
        into: Into[T],
        order_by: OrderBy = (),
        limit: int | None = None,
        lock: Strength | None = None,
        concurrent: bool = False,
    ) -> Sequence[T]: ...
    async def list(
        self,
        *where: ColumnExpressionArgument[bool],
        into: Into[Any] | None = None,
        order_by: OrderBy = (),
        limit: int | None = None,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        concurrent: bool = False,
    ) -> Sequence[Any]:
        """Read the entities that satisfy every condition.

        One round trip, and one more for each `selectinload` among *options* or each collection of *into*. With *lock*
        every row is waited for, read anew and locked until the end of the unit of work: order by the primary key, so
        that two who lock the same rows do not wait for each other. *concurrent* reads the collections of *into* at the
        same time, each on a connection of its own, outside a unit of work only: faster where the network is slow or
        the server has cores to spare.
        """
        statement = select_where(self._model, where, order_by, limit)
        if lock is not None:
            self._refuse_passing_lock()
        if concurrent and (lock is not None or options):
            raise TypeError("concurrent= reads by into= on several connections: it goes without lock= and options=.")
        if concurrent:
            return await self._read_concurrently(statement, into)
        return await self._read(statement, into, options, None if lock is None else RowLock(lock))

    async def json(
        self,
        *where: ColumnExpressionArgument[bool],
        into: Into[Any],
        order_by: OrderBy = (),
        limit: int | None = None,
    ) -> bytes:
        """Read as `list` does, and give the JSON array of it, for a response.

        A pydantic type is encoded as by its `model_dump_json`, every other by msgspec, of dal's extra `json`: several
        times as fast. Raises `ProjectionError` for a value that has no form in JSON. What becomes of which type stands
        in docs/reading.md.
        """
        encoder = encoder_of(into)
        statement = select_where(self._model, where, order_by, limit)
        return encoder.several(await read(self._source, plan_of(self._model, into), statement))

    @overload
    async def page(
        self,
        *where: ColumnExpressionArgument[bool],
        limit: int,
        order_by: OrderBy | Ordering = (),
        after: str | None = None,
        before: str | None = None,
        count: CountAs | None = None,
        options: Sequence[ORMOption] = (),
    ) -> Page[E]: ...
    @overload
    async def page(
        self,
        *where: ColumnExpressionArgument[bool],
        into: Into[T],
        limit: int,
        order_by: OrderBy | Ordering = (),
        after: str | None = None,
        before: str | None = None,
        count: CountAs | None = None,
    ) -> Page[T]: ...
    async def page(
        self,
        *where: ColumnExpressionArgument[bool],
        into: Into[Any] | None = None,
        limit: int,
        order_by: OrderBy | Ordering = (),
        after: str | None = None,
        before: str | None = None,
        count: CountAs | None = None,
        options: Sequence[ORMOption] = (),
    ) -> Page[Any]:
        """Read up to *limit* entities after or before the bookmark of another page, or from the beginning.

        The primary key is appended to *order_by*, unless it is unique already; an `Ordering` made once also signs
        bookmarks. *count* is of all that satisfy the conditions: `"exact"`, up to a number, or `"estimated"` by the
        planner. One round trip, one for each collection, and one more for a count of what is not all on the page. A
        bookmark that was cut, forged or made for another ordering raises `KeysetError`, and nothing is sent. See
        docs/pages.md.
        """
        window = Window.on(Ordering.for_page(self._model, order_by), limit, after=after, before=before)
        counting = None if count is None else Counting.by(count)
        statement = select(self._model).where(*where)
        page = await self._page(window, statement, into, options)
        if counting is None:
            return page
        if window.is_all(page):
            return replace(page, count=Count(len(page.items)))
        async with self._source.reading() as session:
            return replace(page, count=counting.count(await session.scalar(counting.of(statement))))

    @overload
    async def claim(
        self,
        limit: int,
        *where: ColumnExpressionArgument[bool],
        order_by: OrderBy = (),
        options: Sequence[ORMOption] = (),
    ) -> Sequence[E]: ...
    @overload
    async def claim(
        self, limit: int, *where: ColumnExpressionArgument[bool], into: Into[T], order_by: OrderBy = ()
    ) -> Sequence[T]: ...
    async def claim(
        self,
        limit: int,
        *where: ColumnExpressionArgument[bool],
        into: Into[Any] | None = None,
        order_by: OrderBy = (),
        options: Sequence[ORMOption] = (),
    ) -> Sequence[Any]:
        """Lock and read up to *limit* entities that nobody else has locked, first ones first; waits for nobody.

        No two units of work ever get the same row while both last: the lock of FOR UPDATE SKIP LOCKED goes with the
        end of the unit of work, however that comes. Change or delete in it what you claimed, so that *where* does not
        hold of it any more. Fewer than *limit*, or none, says that there are no more that are free. One round trip.
        """
        statement = select_where(self._model, where, order_by, limit)
        return await self._read(statement, into, options, RowLock("update", skip_locked=True))

    @overload
    def stream(
        self,
        *where: ColumnExpressionArgument[bool],
        order_by: OrderBy = (),
        options: Sequence[ORMOption] = (),
        batch_rows: int = ...,
    ) -> Stream[E]: ...
    @overload
    def stream(
        self, *where: ColumnExpressionArgument[bool], into: Into[T], order_by: OrderBy = (), batch_rows: int = ...
    ) -> Stream[T]: ...
    def stream(
        self,
        *where: ColumnExpressionArgument[bool],
        into: Into[Any] | None = None,
        order_by: OrderBy = (),
        options: Sequence[ORMOption] = (),
        batch_rows: int = 1000,
    ) -> Stream[Any]:
        """Read any number of rows with no more than two batches of them in memory.

            async with orders.stream(Order.status == "open", into=OrderCard) as cards:
                async for card in cards:
                    ...

        It keeps a connection until the block is left. Outside a unit of work all that it gives is as it was at one
        moment, and entities come detached; in one it takes part in the transaction, and other statements may be sent
        between its rows. A round trip to begin, one for each batch, and one more for each collection of each batch;
        outside two for its transaction.
        """
        if not 1 <= batch_rows <= _MOST_IN_BATCH or batch_rows % 1:
            raise ValueError(f"batch_rows is {batch_rows!r}; it must be an integer from 1 to {_MOST_IN_BATCH:,}.")
        statement = select_where(self._model, where, order_by, None)
        if into is not None:
            refuse_options(options)
            level = plan_of(self._model, into)
            return Stream(self._source, lambda source: stream(source, level, statement, batch_rows))
        statement = statement.options(*self._lazily, *options)
        detach = not self._source.is_transaction
        return Stream(self._source, lambda source: stream_entities(source, statement, batch_rows, detach=detach))

    async def count(self, *where: ColumnExpressionArgument[bool]) -> int:
        """Count the rows that satisfy every condition, in the server."""
        statement = select(func.count()).select_from(self._model).where(*where)
        async with self._source.reading() as session:
            return await session.scalar(statement) or 0

    async def _page(
        self, window: Window, statement: Select[E], into: Into[Any] | None, options: Sequence[ORMOption]
    ) -> Page[Any]:
        if into is not None:
            refuse_options(options)
            level = plan_of(self._model, into)
            if level.groups is not None:
                raise ProjectionError(
                    f"a page is of rows of {self._model.__name__}, and an aggregate is of many: use list(into=...)."
                )
            found = await fetch(self._source, level, window.of(statement))
            return window.page(assemble(level, found), [row[-window.width :] for row in found.rows])
        async with self._source.reading() as session:
            result = await session.execute(window.of(statement).options(*self._lazily, *options))
            rows = result.unique().all()
            return window.page([row[0] for row in rows], [row[1:] for row in rows])

    async def _read_concurrently(self, statement: Select[E], into: Into[Any] | None) -> Sequence[Any]:
        if into is None or self._source.is_transaction:
            raise UnitOfWorkError(
                "concurrent= takes several connections for the collections of into=, and a unit of work has one: call "
                "this on a repository of the Database, or leave concurrent= out."
            )
        return await read(self._source, plan_of(self._model, into), statement, concurrent=True)
