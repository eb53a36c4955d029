"""What every read of a repository comes down to: a SELECT of its entity, run as entities or into a type.

Refuses: knowing primary keys, pages and streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from sqlalchemy import Select, SQLColumnExpression
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.interfaces import ORMOption

from dal.errors import UnitOfWorkError
from dal.lazy_loading import Lazy
from dal.loading import lazily
from dal.locks import RowLock
from dal.projection import ProjectionSource, plan_of, read

E = TypeVar("E", bound=DeclarativeBase)
T = TypeVar("T")

# A type whose fields say what to read, or an attribute or expression that is read by itself.
Into: TypeAlias = type[T] | SQLColumnExpression[T]


class Reading(Generic[E]):
    """A mapped class, and where its rows are read from."""

    _source: ProjectionSource

    # What relationships that a read leaves unloaded do when they are read; None for what the database says.
    lazy: ClassVar[Lazy | None] = None

    @property
    def _lazily(self) -> Sequence[ORMOption]:
        return lazily(self.lazy)

    @property
    def _model(self) -> type[E]:
        return self.model  # type: ignore[attr-defined,no-any-return] # the repository's

    async def _read(
        self, statement: Select[E], into: Into[Any] | None, options: Sequence[ORMOption], lock: RowLock | None
    ) -> Sequence[Any]:
        if lock is not None:
            self._refuse_passing_lock()
            statement = lock.on(statement, self._model)
            async with self._source.reading() as session:
                await session.flush()  # also where the application forbids autoflush: the rows are read anew
        if into is not None:
            refuse_options(options)
            return await read(self._source, plan_of(self._model, into), statement)
        async with self._source.reading() as session:
            result = await session.scalars(statement.options(*self._lazily, *options))
            return result.unique().all()

    def _refuse_passing_lock(self) -> None:
        if not self._source.is_transaction:
            raise UnitOfWorkError(
                f"a lock on {self._model.__name__} ends with its transaction, and outside a unit of work every call is "
                "a transaction of its own: call this on the repository of a unit of work."
            )


def refuse_options(options: Sequence[ORMOption]) -> None:
    """Refuse loader options for what is no entity."""
    if options:
        raise TypeError("options= are for entities: with into= the type says what is loaded.")
