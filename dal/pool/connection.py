"""asyncpg's connection, whose rollbacks end, and which tells that it runs a statement also if that was not prepared.

SQLAlchemy finishes a rollback whatever becomes of its task, so no timeout of the application's can end one that gets no
answer: its connection would be out for ever. Refuses: ending a COMMIT, which may be long for good reasons.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg

# The server does next to nothing to roll back: one that has not answered by then is not there.
ROLLBACK_S: Final = 5.0


class Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg ships no types
    """A connection that is cut off if a ROLLBACK gets no answer; the server then rolls back by itself."""

    __slots__ = ()

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run *query*, or several of them if there are no *args*."""
        if args:
            return str(await super().execute(query, *args, timeout=timeout))
        # asyncpg does so for what it prepares: by this the pool sees whether a connection is given back too early.
        with self._stmt_exclusive_section:
            if query == "ROLLBACK;" and timeout is None:  # as asyncpg's own transactions spell it
                return await self._roll_back(query)
            return str(await super().execute(query, timeout=timeout))

    async def _roll_back(self, query: str) -> str:
        try:
            return str(await super().execute(query, timeout=ROLLBACK_S))
        except TimeoutError as error:
            self.terminate()
            raise asyncpg.ConnectionDoesNotExistError(f"no answer to ROLLBACK in {ROLLBACK_S} s") from error
