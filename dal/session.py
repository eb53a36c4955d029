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

from dal.errors import driver_errors_named
from dal.versioned import VersionedSession

_ON_BEGIN: Final = "dal_on_begin"


class SessionSource(Protocol):
    """What a repository is bound to: a `Database` or a `UnitOfWork`."""

    @property
    def is_transaction(self) -> bool:
        """Whether several calls share one transaction, so that a lock outlasts the call that took it."""
        ...

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend a session for one read."""
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

    Costs a round trip when the session has sent nothing yet, none otherwise.
    """
    await session.flush()
    connection = await session.connection()
    async with driver_connection(connection) as driver:
        if not driver.is_in_transaction():
            # SQLAlchemy sends BEGIN only with the first statement that it runs itself;
            # without one, whatever is sent on the driver's connection would commit on its own.
            await connection.exec_driver_sql("SELECT 1")
        yield driver
