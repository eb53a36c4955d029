"""Reads and writes of one mapped class.

A repository never commits and holds no state: it is bound to a `Database`, where every call stands alone, or to a
`UnitOfWork`, whose transaction it takes part in. Its filters are SQLAlchemy's expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args, get_origin

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, Table, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstanceState
from sqlalchemy.orm.interfaces import ORMOption

from dal.errors import LockNotAvailable, NotFound, UnitOfWorkError
from dal.loading import raise_unloaded, raise_unloaded_of
from dal.locks import RowLock, Strength, row_lock
from dal.session import SessionSource
from dal.write import WritesInSets

if TYPE_CHECKING:
    from dal.copy import CopyReport, OnProgress, Source

E = TypeVar("E", bound=DeclarativeBase)


class Repository(WritesInSets[E]):
    """The entities of one mapped class: `class OrderRepository(Repository[Order])`.

    What a read does not load raises `NotLoaded` when it is touched, and says which option to add. Outside a unit of
    work entities come back detached, with all their own columns.
    """

    model: ClassVar[type[DeclarativeBase]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Repository) and isinstance(get_args(base)[0], type):
                cls.model = get_args(base)[0]

    def __init__(self, source: SessionSource) -> None:
        if not hasattr(type(self), "model"):
            raise TypeError("a repository needs its mapped class: class Orders(Repository[Order]).")
        self._source = source

    async def get(
        self,
        identity: Any,
        *,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> E | None:
        """Read one entity by primary key, or None; a composite one is a tuple, or a dict by attribute.

        One round trip; none without *options* and *lock* when the unit of work already holds the entity. With *lock*
        pending changes are flushed, and the row is read anew and locked until the end of the unit of work, in one
        statement. A row that somebody else has locked is waited for, or is None (*skip_locked*), or raises
        `LockNotAvailable` (*nowait*), which spoils the transaction unless it is raised in a savepoint.
        """
        row = row_lock(lock, nowait=nowait, skip_locked=skip_locked)
        if row is None and not options:
            async with self._source.reading() as session:
                return await session.get(self._model, identity, options=[raise_unloaded()])
        # Not session.get, which leaves an entity that it holds as it is, whatever the options.
        found = await self._read(select(self._model).where(*self._has(identity)), options, row)
        return found[0] if found else None

    async def get_one(
        self,
        identity: Any,
        *,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> E:
        """Read one entity by primary key, or raise `NotFound`.

        With *skip_locked*, a row that is there and locked raises `LockNotAvailable`; the transaction goes on. To know
        it from one that is not there costs a round trip more.
        """
        entity = await self.get(identity, options=options, lock=lock, skip_locked=skip_locked, nowait=nowait)
        if entity is not None:
            return entity
        keys = ", ".join(column.name for column in inspect(self._model).primary_key)
        if skip_locked and await self.count(*self._has(identity)):
            raise LockNotAvailable(
                f"the {self._model.__name__} with the {keys} asked for is locked by somebody else, and skip_locked "
                "passes it over. Try again later, or wait for it without skip_locked."
            )
        raise NotFound(f"no {self._model.__name__} has the {keys} asked for.")

    async def list(
        self,
        *where: ColumnExpressionArgument[bool],
        order_by: ColumnExpressionArgument[Any] | Sequence[ColumnExpressionArgument[Any]] = (),
        limit: int | None = None,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
    ) -> Sequence[E]:
        """Read the entities that satisfy every condition.

        One round trip, and one more for each `selectinload` among *options*. With *lock* every row is waited for, read
        anew and locked until the end of the unit of work: order by the primary key, so that two who lock the same rows
        do not wait for each other.
        """
        statement = select(self._model).where(*where).order_by(*_several(order_by)).limit(limit)
        return await self._read(statement, options, None if lock is None else RowLock(lock))

    async def claim(
        self,
        limit: int,
        *where: ColumnExpressionArgument[bool],
        order_by: ColumnExpressionArgument[Any] | Sequence[ColumnExpressionArgument[Any]] = (),
        options: Sequence[ORMOption] = (),
    ) -> Sequence[E]:
        """Lock and read up to *limit* entities that nobody else has locked, first ones first; waits for nobody.

        No two units of work ever get the same row while both last: the lock of FOR UPDATE SKIP LOCKED goes with the
        end of the unit of work, however that comes. Change or delete in it what you claimed, so that *where* does not
        hold of it any more. Fewer than *limit*, or none, says that there are no more that are free. One round trip.
        """
        statement = select(self._model).where(*where).order_by(*_several(order_by)).limit(limit)
        return await self._read(statement, options, RowLock("update", skip_locked=True))

    async def count(self, *where: ColumnExpressionArgument[bool]) -> int:
        """Count the rows that satisfy every condition, in the server."""
        statement = select(func.count()).select_from(self._model).where(*where)
        async with self._source.reading() as session:
            return await session.scalar(statement) or 0

    async def add(self, *entities: E) -> None:
        """Insert new entities, or update changed detached ones, now: their generated keys are there afterwards.

        Give many at once: those of one table go in one statement. Outside a unit of work, one new entity that is one
        row is one round trip.
        """
        if len(entities) == 1 and _is_one_new_row(entities[0]):
            async with self._source.writing_once() as session:
                flushes = session.sync_session.dispatch
                if not (flushes.before_flush or flushes.after_flush):
                    await _add(session, entities)
                    return
        async with self._source.writing() as session:
            await _add(session, entities)

    async def delete(self, *entities: E) -> None:
        """Delete entities now, with what the mapping cascades to."""
        async with self._source.writing() as session:
            for entity in entities:
                await session.delete(entity)
            await session.flush()

    async def copy_in(
        self, source: Source, *, rename: Mapping[str, str] | None = None, on_progress: OnProgress | None = None
    ) -> CopyReport:
        """Load Arrow data or a Parquet file by binary COPY, all of it or nothing; see `dal.copy.copy_in`."""
        from dal.copy import copy_in  # not above: it needs an extra

        table = self._model.__table__
        assert isinstance(table, Table)  # noqa: S101 # declarative classes map tables
        async with self._source.writing() as session:
            return await copy_in(session, table, source, rename=rename, on_progress=on_progress)

    async def _read(self, statement: Select[E], options: Sequence[ORMOption], lock: RowLock | None) -> Sequence[E]:
        if lock is not None:
            self._refuse_passing_lock()
            statement = lock.on(statement, self._model)
        async with self._source.reading() as session:
            if lock is not None:
                await session.flush()  # also where the application forbids autoflush: the rows are read anew
            result = await session.scalars(statement.options(raise_unloaded(), *options))
            return result.unique().all()

    def _refuse_passing_lock(self) -> None:
        if not self._source.is_transaction:
            raise UnitOfWorkError(
                f"a lock on {self._model.__name__} ends with its transaction, and outside a unit of work every call is "
                "a transaction of its own: call this on the repository of a unit of work."
            )

    def _has(self, identity: Any) -> Sequence[ColumnElement[bool]]:
        mapper = inspect(self._model)
        if isinstance(identity, dict):
            return [getattr(self._model, name) == value for name, value in identity.items()]
        values = identity if isinstance(identity, tuple) else (identity,)
        return [column == value for column, value in zip(mapper.primary_key, values, strict=True)]

    @property
    def _model(self) -> type[E]:
        return self.model  # type: ignore[return-value] # a ClassVar cannot name the type variable that it holds


def _is_one_new_row(entity: object) -> bool:
    """Tell whether adding *entity* is one INSERT, which needs no transaction around it to be whole."""
    state = inspect(entity, raiseerr=False)
    if not isinstance(state, InstanceState) or not state.transient or len(state.mapper.tables) > 1:
        return False
    # A listener may send statements of its own.
    heard = state.mapper.dispatch.before_insert or state.mapper.dispatch.after_insert
    return not (heard or any(state.dict.get(each.key) for each in state.mapper.relationships))


async def _add(session: AsyncSession, entities: Sequence[Any]) -> None:
    session.add_all(entities)
    new = list(session.new)  # with what cascades from the entities
    await session.flush()
    for entity in new:
        raise_unloaded_of(entity)


def _several(
    order_by: ColumnExpressionArgument[Any] | Sequence[ColumnExpressionArgument[Any]],
) -> Sequence[ColumnExpressionArgument[Any]]:
    return order_by if isinstance(order_by, Sequence) else (order_by,)
