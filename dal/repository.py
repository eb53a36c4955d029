"""Reads and writes of one mapped class.

A repository never commits and holds no state: it is bound to a `Database`, where every call stands alone, or to a
`UnitOfWork`, whose transaction it takes part in. Its filters are SQLAlchemy's expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack, get_args, get_origin

from sqlalchemy import ColumnExpressionArgument, Table, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstanceState

from dal.keyset import OrderBy
from dal.projection import ProjectionSource
from dal.read import Reads
from dal.read.statement import select_where
from dal.write import WritesInSets

if TYPE_CHECKING:
    from dal.copy import (
        ArrowBatches,
        CopyOptions,
        CopyOutReport,
        CopyReport,
        Form,
        OnCopyOutProgress,
        Source,
        Target,
    )

E = TypeVar("E", bound=DeclarativeBase)


class Repository(Reads[E], WritesInSets[E]):
    """The entities of one mapped class: `class OrderRepository(Repository[Order])`.

    Outside a unit of work entities come back detached, with all their own columns; what was not loaded raises
    `NotLoaded` when it is touched, and says which option to add. In a unit of work it loads for all that came together,
    by `await entity.awaitable_attrs.lines`, or does as *lazy* says.
    """

    model: ClassVar[type[DeclarativeBase]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Repository) and isinstance(get_args(base)[0], type):
                cls.model = get_args(base)[0]

    def __init__(self, source: ProjectionSource) -> None:
        if not hasattr(type(self), "model"):
            raise TypeError("a repository needs its mapped class: class Orders(Repository[Order]).")
        self._source = source

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

    async def copy_in(self, source: Source, **options: Unpack[CopyOptions]) -> CopyReport:
        """Load a file, Arrow data or records of any kind by COPY, all of it or nothing; see `dal.copy.copy_in`."""
        from dal.copy import copy_in  # not above: it needs an extra

        table = self._model.__table__
        assert isinstance(table, Table)  # noqa: S101 # declarative classes map tables
        return await copy_in(self._source, table, source, **options)

    async def copy_out(
        self,
        target: Target,
        *where: ColumnExpressionArgument[bool],
        order_by: OrderBy = (),
        form: Form | None = None,
        on_progress: OnCopyOutProgress | None = None,
    ) -> CopyOutReport:
        """Write all columns of the entities that satisfy every condition into a file; see `dal.copy.copy_out`."""
        from dal.copy import copy_out  # not above: it needs an extra

        statement = select_where(self._model, where, order_by, None)
        return await copy_out(self._source, statement, target, form=form, on_progress=on_progress)

    def copy_batches(
        self, *where: ColumnExpressionArgument[bool], order_by: OrderBy = ()
    ) -> AbstractAsyncContextManager[ArrowBatches]:
        """Lend all columns of the entities that satisfy every condition in Arrow; see `dal.copy.copy_batches`."""
        from dal.copy import copy_batches  # not above: it needs an extra

        return copy_batches(self._source, select_where(self._model, where, order_by, None))


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
    await session.flush()
