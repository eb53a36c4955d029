"""Closes what is left of a statement's rows in the server, in a transaction that goes on.

The one module that does: asyncpg and SQLAlchemy have only private names for it, held by a contract test. Without them a
portal lasts as long as its transaction. Refuses: raising, for what is wrong is told by the next statement.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import asyncpg

_TOLD_LATER: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


async def close_portal(cursor: Any) -> None:
    """Close the portal of an asyncpg cursor; one round trip, also in a transaction that has failed."""
    close = getattr(cursor, "_close_portal", None)
    if close is not None:
        with suppress(*_TOLD_LATER):
            await close(None)


async def close_portal_of(result: Any) -> None:
    """Close the portal under SQLAlchemy's *result*, unless all of its rows are read."""
    raw = getattr(getattr(result, "_real_result", None), "raw", None)
    cursor = getattr(getattr(raw, "cursor", None), "_cursor", None)
    if cursor is not None:
        await close_portal(cursor)
