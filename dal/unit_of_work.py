"""A transaction with the repositories that take part in it.

Refuses: building SQL.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self, get_type_hints

from sqlalchemy.ext.asyncio import AsyncSession

from dal.database import Database
from dal.errors import UnitOfWorkError
from dal.repository import Repository


class UnitOfWork:
    """One transaction: `async with Shop(db) as shop:` commits on a clean exit, and rolls back on any exception.

    A subclass names its repositories by annotations:

        class Shop(UnitOfWork):
            customers: CustomerRepository
            orders: OrderRepository

    BEGIN goes out with the first statement, so an unused unit of work costs nothing. Cancellation rolls back too; a
    COMMIT or ROLLBACK that is under way is finished before the cancellation goes on. For one task, and once.
    """

    def __init__(self, database: Database) -> None:
        self._scope: AbstractAsyncContextManager[AsyncSession] = database.writing()
        self._session: AsyncSession | None = None
        self._over = False

    async def __aenter__(self) -> Self:
        if self._session is not None or self._over:
            raise UnitOfWorkError(f"this {type(self).__name__} was entered before; make a new one.")
        self._session = await self._scope.__aenter__()
        for name, repository in _repositories_of(type(self)).items():  # type: ignore[arg-type] # mypy: type[Self] has no hash
            setattr(self, name, repository(self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session, self._over = None, True
        await self._scope.__aexit__(kind, error, traceback)

    @property
    def session(self) -> AsyncSession:
        """SQLAlchemy's session, for whatever has no repository method."""
        if self._session is None:
            when = "over" if self._over else "not entered yet"
            raise UnitOfWorkError(f"this {type(self).__name__} is {when}: use it inside `async with`.")
        return self._session

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """Lend the session to a repository's read."""
        yield self.session

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncSession]:
        """Lend the session to a repository's write."""
        yield self.session

    def writing_once(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend the session to a repository's statement."""
        return self.writing()

    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        """Undo only what the block did when it raises; two round trips."""
        return self.session.begin_nested()


@cache
def _repositories_of(unit_of_work: type[Any]) -> dict[str, type[Repository[Any]]]:
    hints = get_type_hints(unit_of_work)
    return {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Repository)}
