"""Who keeps a migration waiting: looked at by another connection while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import asyncpg

from dal.errors import DALError

Checkout = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]

# Who waits for less is not looked at.
_FIRST_S: Final = 0.2
_EVERY_S: Final = 0.25
# So many are named, and so much of a statement is shown.
_NAMED: Final = 3
_SHOWN: Final = 120

_BLOCKERS: Final = """
    SELECT pid, application_name, usename, state,
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_s, query
    FROM pg_stat_activity WHERE pid = ANY (pg_catalog.pg_blocking_pids($1)) ORDER BY xact_start NULLS LAST
"""


class Blockers:
    """Those who were seen last to block the backend *pid*."""

    def __init__(self, checkout: Checkout, pid: int) -> None:
        self._checkout, self._pid = checkout, pid
        self._seen: Sequence[Any] = ()

    @property
    def words(self) -> str:
        """Name them, with the ages of their transactions and what they ran last; empty if there was nobody."""
        if not self._seen:
            return ""
        more = f", and {len(self._seen) - _NAMED} more" if len(self._seen) > _NAMED else ""
        return f"blocked by {'; '.join(map(_named, self._seen[:_NAMED]))}{more}"

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Look at them every now and then while the block runs."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.wait([watch])

    async def _watch(self) -> None:
        await asyncio.sleep(_FIRST_S)
        try:
            async with self._checkout() as driver:
                while True:
                    self._seen = await driver.fetch(_BLOCKERS, self._pid) or self._seen
                    await asyncio.sleep(_EVERY_S)
        except (DALError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return  # what is migrated must not fail of this


def _named(row: Any) -> str:
    who = f"process {row['pid']} of {row['application_name'] or row['usename']!r}"
    doing = row["state"] or "whose state this role may not see"
    age = "" if row["age_s"] is None else f", its transaction {row['age_s']:.1f} s old"
    statement = " ".join((row["query"] or "").split())
    shown = statement[:_SHOWN] + ("..." if len(statement) > _SHOWN else "")
    return f"{who} ({doing}{age}: {shown})"
