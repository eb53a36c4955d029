"""asyncpg's transaction, whose BEGIN, COMMIT and ROLLBACK each have an end, and one that is known.

SQLAlchemy finishes a rollback whatever becomes of its task, so no timeout of the application's can end one that gets no
answer: its connection would be out for ever. Refuses: ending a COMMIT, which may be long for good reasons.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

import asyncpg
from asyncpg.transaction import Transaction

from dal.errors import CommitOutcomeUnknown, is_connection_lost

# The server does next to nothing to roll back: one that has not answered by then is not there.
ROLLBACK_S: Final = 5.0

_UNKNOWN: Final = (
    "the connection was lost between COMMIT and its answer: the transaction is there whole, or not at all. "
    "verify_commit=True asks the server which."
)
_FAILED: Final = (
    "nothing was committed: a statement had failed, and its error was caught. Put what may fail into a savepoint"
)


class DriverTransaction(Transaction):  # type: ignore[misc] # asyncpg ships no types
    """A transaction of which nobody is told less than its connection knows."""

    __slots__ = ()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._managed = False  # type: ignore[misc] # a slot of the parent's, which mypy cannot see
        if kind is None:
            await self.commit()
        else:
            await self.rollback()

    async def start(self) -> None:
        """Begin with all that was asked for, or not at all."""
        connection = self._connection
        try:
            await super().start()
        except Exception:
            # BEGIN was done, what came with it was refused; asyncpg would take the next one for a savepoint.
            if connection._top_xact is self:  # noqa: SLF001 # held by the contract test
                connection._top_xact = None  # noqa: SLF001 # see above
                if connection.is_in_transaction():
                    await connection.execute("ROLLBACK")
            raise
        except asyncio.CancelledError:
            connection.note_begun()
            raise

    async def commit(self) -> None:
        """Commit; raises `CommitOutcomeUnknown` if the connection is lost before the answer."""
        connection = self._connection
        if self._nested or connection.is_closed():
            await super().commit()
            return
        try:
            await super().commit()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            if is_connection_lost(error, closed=connection.is_closed()):
                raise CommitOutcomeUnknown(_UNKNOWN) from error
            raise
        if connection.tag == "ROLLBACK":
            raise asyncpg.InFailedSQLTransactionError(_FAILED)

    async def rollback(self) -> None:
        """Roll back; in `ROLLBACK_S` at the most.

        The server rolls back what nobody speaks for any more, so a connection that is lost is a rollback too, and
        whatever led to it is the error worth knowing. One that gets no answer, or cannot be sent in the middle of
        another task's statement, or from another loop or thread, ends its connection.
        """
        connection = self._connection
        if connection.is_closed():
            return
        if not connection.place.is_here():
            connection.place.call(connection.terminate)
            return
        try:
            async with asyncio.timeout(ROLLBACK_S):
                await super().rollback()
        except TimeoutError:
            connection.terminate()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            if self._nested and not connection.is_closed():
                raise
            connection.terminate()
