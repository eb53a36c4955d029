"""asyncpg's connection, whose rollbacks end, and which tells that it is busy also with a script or a COPY.

SQLAlchemy finishes a rollback whatever becomes of its task, so no timeout of the application's can end one that gets no
answer: its connection would be out for ever. Refuses: ending a COMMIT, which may be long for good reasons.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg
from asyncpg.transaction import Transaction

# The server does next to nothing to roll back: one that has not answered by then is not there.
ROLLBACK_S: Final = 5.0


class Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg ships no types
    """A connection whose transactions are `SureRollback`."""

    __slots__ = ()

    def transaction(self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False) -> Any:
        """Make a transaction, not begun."""
        self._check_open()
        return SureRollback(self, isolation, readonly, deferrable)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run *query*, or several of them if there are no *args*."""
        if args:
            return str(await super().execute(query, *args, timeout=timeout))
        # asyncpg does so for what it prepares: by this the pool sees whether a connection is given back too early.
        with self._stmt_exclusive_section:
            return str(await super().execute(query, timeout=timeout))

    async def _copy_in(self, copy_stmt: str, source: Any, timeout: float | None) -> str:
        with self._stmt_exclusive_section:
            return str(await super()._copy_in(copy_stmt, source, timeout))

    async def copy_records_to_table(self, *args: Any, **options: Any) -> str:
        """Load records by a binary COPY."""
        with self._stmt_exclusive_section:
            return str(await super().copy_records_to_table(*args, **options))

    async def _copy_out(self, copy_stmt: str, output: Any, timeout: float | None) -> str:
        with self._stmt_exclusive_section:
            return str(await super()._copy_out(copy_stmt, output, timeout))


class SureRollback(Transaction):  # type: ignore[misc] # asyncpg ships no types
    """A transaction whose rollback is not covered by a connection that is lost.

    The server rolls back what nobody speaks for any more, so such a rollback has succeeded, and whatever led to it is
    the error worth knowing. One that gets no answer ends its connection.
    """

    __slots__ = ()

    async def rollback(self) -> None:
        """Roll back; in `ROLLBACK_S` at the most."""
        connection = self._connection
        if connection.is_closed():
            return
        try:
            async with asyncio.timeout(ROLLBACK_S):
                await super().rollback()
        except TimeoutError:
            connection.terminate()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            if not connection.is_closed():
                raise
