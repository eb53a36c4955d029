"""asyncpg's connection, whose rollbacks end.

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
        if query != "ROLLBACK;" or timeout is not None:  # as asyncpg's own transactions spell it
            return str(await super().execute(query, *args, timeout=timeout))
        try:
            return str(await super().execute(query, timeout=ROLLBACK_S))
        except TimeoutError as error:
            self.terminate()
            raise asyncpg.ConnectionDoesNotExistError(f"no answer to ROLLBACK in {ROLLBACK_S} s") from error
