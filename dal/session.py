"""Where a session comes from, and the one place that borrows the driver's connection.

Refuses: deciding when to commit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util.concurrency import await_, greenlet_spawn

from dal.errors import driver_errors_named
from dal.hooks import changes_statements, is_engine_hooked, is_session_hooked
from dal.versioned import VersionedSession

_ON_BEGIN: Final = "dal_on_begin"


class ReadingSource(Protocol):
    """What can be read from."""

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend a session for one read."""
        ...

    def reading_driver(self) -> AbstractAsyncContextManager[asyncpg.Connection | None]:
        """Lend the driver's connection for one read, or None where a hook wants SQLAlchemy to send it."""
        ...


class SessionSource(ReadingSource, Protocol):
    """What a repository is bound to: a `Database` or a `UnitOfWork`."""

    @property
    def is_transaction(self) -> bool:
        """Whether several calls share one transaction, so that a lock outlasts the call that took it."""
        ...

    def writing(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend a session for one write, in a transaction."""
        ...

    def writing_once(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend a session for one statement that writes, which needs no transaction to be whole."""
        ...


class TellingSession(VersionedSession):
    """SQLAlchemy's session, which tells whom `on_begin` names of its transactions, and who was stale."""


def on_begin(session: AsyncSession, begins: Callable[[Any], None]) -> None:
    """Have *begins* called with the driver's connection before each BEGIN of *session*, not for savepoints."""
    session.info[_ON_BEGIN] = begins


@event.listens_for(TellingSession, "after_begin")
def _tell(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    begins = session.info.get(_ON_BEGIN)
    if begins is not None and not transaction.nested:
        begins(connection.connection.driver_connection)


@asynccontextmanager
async def driver_connection(connection: AsyncConnection) -> AsyncGenerator[asyncpg.Connection]:
    """Lend asyncpg's connection under *connection*, errors named. Do not keep it, nor use *connection* meanwhile."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, asyncpg.Connection)  # noqa: S101 # Database opens no other driver
    with driver_errors_named(driver=driver, hide_parameters=connection.engine.sync_engine.hide_parameters):
        yield driver


@asynccontextmanager
async def driver_in_transaction(session: AsyncSession) -> AsyncGenerator[asyncpg.Connection]:
    """Lend asyncpg's connection under *session*: in the session's transaction, pending changes flushed.

    BEGIN goes out if the session has sent nothing yet.
    """
    await session.flush()
    connection = await session.connection()
    async with driver_connection(connection) as driver:
        await greenlet_spawn(_begin, connection.sync_connection)
        yield driver


async def reading_driver(session: AsyncSession) -> asyncpg.Connection | None:
    """Give asyncpg's connection under *session* for one read, in its transaction, as SQLAlchemy would read: flushed.

    None where a hook wants SQLAlchemy to send the statement. Do not keep it.
    """
    if is_session_hooked(session.sync_session):
        return None
    driver: asyncpg.Connection | None = await greenlet_spawn(_flushed, session.sync_session)
    return driver


def _flushed(session: Session) -> asyncpg.Connection | None:
    if session.autoflush and (session.new or session.dirty or session.deleted):
        session.flush()
    connection = session.connection()
    if is_engine_hooked(connection.engine) or changes_statements(connection.get_execution_options()):
        return None
    _begin(connection)
    return connection.connection.driver_connection


def _begin(connection: Connection) -> None:
    """Begin the transaction that SQLAlchemy would begin with the first statement that it sends itself.

    Without one, whatever is sent on the driver's connection would commit on its own.
    """
    adapted: Any = connection.connection.dbapi_connection
    if adapted.driver_connection.is_in_transaction():
        return
    start = getattr(adapted, "_start_transaction", None)
    if start is None:  # pragma: no cover # a SQLAlchemy that renamed it; the contract test says so first
        connection.exec_driver_sql("SELECT 1")
        return
    driver = adapted.driver_connection
    with driver_errors_named(driver=driver):
        try:
            await_(start())
        except connection.dialect.loaded_dbapi.Error as error:
            # SQLAlchemy names the errors of what it sends by itself only.
            raise error.__cause__ or error  # noqa: B904 # the driver's own, as it came
