"""What the pool must know of asyncpg's connection, and asyncpg does not say in public.

Each private name is held by a contract test; where one is missing the careful answer is given, which costs a round trip
or the connection.
"""

from __future__ import annotations

from typing import Any

import asyncpg


def is_cancelling(driver: asyncpg.Connection) -> bool:
    """Tell whether the server has not yet answered to the cancellation of a statement."""
    asked: Any = getattr(driver._protocol, "_is_cancelling", None)  # noqa: SLF001 # see above
    return asked is None or bool(asked())


def is_running(connection: Any, driver: asyncpg.Connection) -> bool:
    """Tell whether somebody still waits for a statement on SQLAlchemy's *connection* or on its *driver*."""
    mutex = getattr(connection, "_execute_mutex", None)
    section = getattr(driver, "_stmt_exclusive_section", None)
    return (mutex is not None and mutex.locked()) or bool(getattr(section, "_acquired", False))


def forget_transaction(driver: asyncpg.Connection) -> None:
    """Make *driver* forget a transaction whose BEGIN was cancelled; the next one would be a savepoint in it."""
    driver._top_xact = None  # noqa: SLF001 # see above
