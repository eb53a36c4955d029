"""The methods of a repository that read, as entities or into a type of the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

from sqlalchemy import ColumnExpressionArgument, Integer, Select, SQLColumnExpression, func, literal_column, select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.interfaces import ORMOption

from dal.errors import LockNotAvailable, NotFound, UnitOfWorkError
from dal.keyset import Count, CountAs, Counting, OrderBy, Ordering, Page, Window
from dal.loading import raise_unloaded
from dal.locks import RowLock, Strength, row_lock
from dal.projection import (
    ProjectionSource,
    assemble,
    fetch,
    get,
    get_many,
    lookup_of,
    plan_of,
    read,
    stream,
    stream_entities,
)
from dal.read.encoding import encoder_of
from dal.read.statement import has_identity, key_words, select_where
from dal.read.stream import Stream

E = TypeVar("E", bound=DeclarativeBase)
T = TypeVar("T")

# A type whose fields say what to read, or an attribute or expression that is read by itself.
Into: TypeAlias = type[T] | SQLColumnExpression[T]

_THERE: Final[SQLColumnExpression[int]] = literal_column("1", Integer)


class Reads(Generic[E]):
    """Without *into* entities are read, whose relationships raise `NotLoaded` until an option loads them.

    With *into*, a dataclass, a msgspec.Struct, a pydantic model, a NamedTuple or a TypedDict says by its fields what is
    read, and nothing else is; an attribute or an expression is read by itself. See docs/reading.md.
    """

    _source: ProjectionSource

    @property
    def _model(self) -> type[E]:
        return self.model  # type: ignore[attr-defined,no-any-return] # the repository's

    @overload
    async def get(
        self,
        identity: Any,
        *,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> E | None: ...
    @overload
    async def get(
        self,
        identity: Any,
        *,
        into: Into[T],
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> T | None: ...
    async def get(
        self,
        identity: Any,
        *,
        into: Into[Any] | None = None,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> Any:
        """Read one entity by primary key, or None; a composite one is a tuple, or a dict by attribute.

        One round trip; none without *options* and *lock* when the unit of work already holds the entity. With *lock*
        pending changes are flushed, and the row is read anew and locked until the end of the unit of work, in one
        statement. A row that somebody else has locked is waited for, or is None (*skip_locked*), or raises
        `LockNotAvailable` (*nowait*), which spoils the transaction unless it is raised in a savepoint.
        """
        row = row_lock(lock, nowait=nowait, skip_locked=skip_locked)
        if row is None and into is not None:
            _refuse_options(options)
            return await get(self._source, lookup_of(self._model, into), identity)
        if row is None and not options:
            async with self._source.reading() as session:
                return await session.get(self._model, identity, options=[raise_unloaded()])
        # Not session.get, which leaves an entity that it holds as it is, whatever the options.
        statement = select(self._model).where(*has_identity(self._model, identity))
        found = await self._read(statement, into, options, row)
        return found[0] if found else None

    @overload
    async def get_one(
        self,
        identity: Any,
        *,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> E: ...
    @overload
    async def get_one(
        self,
        identity: Any,
        *,
        into: Into[T],
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> T: ...
    async def get_one(
        self,
        identity: Any,
        *,
        into: Into[Any] | None = None,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> Any:
        """Read one entity by primary key, or raise `NotFound`.

        With *skip_locked*, a row that is there and locked raises `LockNotAvailable`; the transaction goes on. To know
        it from one that is not there costs a round trip more.
        """
        asked: Any = {"options": options} if into is None else {"into": into}
        entity = await self.get(identity, **asked, lock=lock, skip_locked=skip_locked, nowait=nowait)
        if entity is not None:
            return entity
        if skip_locked and await self.count(*has_identity(self._model, identity)):
            raise LockNotAvailable(
                f"the {self._model.__name__} with the {key_words(self._model)} asked for is locked by somebody else, "
                "and skip_locked passes it over. Try again later, or wait for it without skip_locked."
            )
        raise NotFound(f"no {self._model.__name__} has the {key_words(self._model)} asked for.")

    async def get_many(self, identities: Iterable[Any], *, into: Into[T]) -> Sequence[T | None]:
        """Read many by primary key, in the order of the keys, None for each that is not there.

        One round trip for ten thousand keys, and one for each collection.
        """
        return await get_many(self._source, lookup_of(self._model, into), list(identities))

    async def get_json(self, identity: Any, *, into: Into[Any]) -> bytes | None:
        """Read one by primary key, as `get` does, and give the JSON of it, or None."""
        encoder = encoder_of(into)
        found = await get(self._source, lookup_of(self._model, into), identity)
        return None if found is None else encoder.one(found)

    async def exists(self, identity: Any) -> bool:
        """Tell whether there is a row with this primary key, without reading it."""
        return await get(self._source, lookup_of(self._model, _THERE), identity) is not None

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
        if batch_rows < 1:
            raise ValueError(f"batch_rows is {batch_rows}; it must be at least 1.")
        statement = select_where(self._model, where, order_by, None)
        if into is not None:
            _refuse_options(options)
            level = plan_of(self._model, into)
            return Stream(self._source, lambda source: stream(source, level, statement, batch_rows))
        statement = statement.options(raise_unloaded(), *options)
        detach = not self._source.is_transaction
        return Stream(self._source, lambda source: stream_entities(source, statement, batch_rows, detach=detach))

    async def count(self, *where: ColumnExpressionArgument[bool]) -> int:
        """Count the rows that satisfy every condition, in the server."""
        statement = select(func.count()).select_from(self._model).where(*where)
        async with self._source.reading() as session:
            return await session.scalar(statement) or 0

    async def _read(
        self, statement: Select[E], into: Into[Any] | None, options: Sequence[ORMOption], lock: RowLock | None
    ) -> Sequence[Any]:
        if lock is not None:
            self._refuse_passing_lock()
            statement = lock.on(statement, self._model)
            async with self._source.reading() as session:
                await session.flush()  # also where the application forbids autoflush: the rows are read anew
        if into is not None:
            _refuse_options(options)
            return await read(self._source, plan_of(self._model, into), statement)
        async with self._source.reading() as session:
            result = await session.scalars(statement.options(raise_unloaded(), *options))
            return result.unique().all()

    async def _page(
        self, window: Window, statement: Select[E], into: Into[Any] | None, options: Sequence[ORMOption]
    ) -> Page[Any]:
        if into is not None:
            _refuse_options(options)
            level = plan_of(self._model, into)
            found = await fetch(self._source, level, window.of(statement))
            return window.page(assemble(level, found), [row[-window.width :] for row in found.rows])
        async with self._source.reading() as session:
            result = await session.execute(window.of(statement).options(raise_unloaded(), *options))
            rows = result.unique().all()
            return window.page([row[0] for row in rows], [row[1:] for row in rows])

    async def _read_concurrently(self, statement: Select[E], into: Into[Any] | None) -> Sequence[Any]:
        if into is None or self._source.is_transaction:
            raise UnitOfWorkError(
                "concurrent= takes several connections for the collections of into=, and a unit of work has one: call "
                "this on a repository of the Database, or leave concurrent= out."
            )
        return await read(self._source, plan_of(self._model, into), statement, concurrent=True)

    def _refuse_passing_lock(self) -> None:
        if not self._source.is_transaction:
            raise UnitOfWorkError(
                f"a lock on {self._model.__name__} ends with its transaction, and outside a unit of work every call is "
                "a transaction of its own: call this on the repository of a unit of work."
            )


def _refuse_options(options: Sequence[ORMOption]) -> None:
    if options:
        raise TypeError("options= are for entities: with into= the type says what is loaded.")
