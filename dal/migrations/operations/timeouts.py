"""Timeouts of the server while an operation runs: none for what takes long and locks nothing, a short one for locks.

A lock that is waited for holds up everybody who comes later, even readers; so it is waited for shortly, and again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, TypeVar

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.backoff import backoff_s
from dal.errors import DeadlockDetected, LockNotAvailable, MigrationError
from dal.migrations.operations.sql import connection_of

T = TypeVar("T")

# Longer than deadlock_timeout, after which an autovacuum makes way for who waits.
TABLE_LOCK_MS: Final = 1_500
# Shorter than that: where a batch and a writer lock each other out, it is the batch that gives way.
ROW_LOCK_MS: Final = 500
ATTEMPTS: Final = 30
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_WITHOUT: Final = ("lock_timeout", "statement_timeout", "transaction_timeout")
_READ: Final = text("SELECT name, CAST(setting AS bigint) FROM pg_settings WHERE name = ANY(:names)")
_WRITE: Final = text("SELECT pg_catalog.set_config(:name, :value, false)")

log: Final = logging.getLogger("dal.migrations")


@contextmanager
def no_timeouts(context: MigrationContext) -> Generator[None]:
    """Let statements of the block wait and run as long as they need: killed, they would leave something behind.

    For a block that commits by itself; as many round trips as there are timeouts set, twice.
    """
    with _set(context, _WITHOUT, lambda _: 0):
        yield


@contextmanager
def short_lock_timeout(context: MigrationContext, longest_ms: int) -> Generator[None]:
    """Let statements of the block wait *longest_ms* for a lock, or for what is set already if that is less."""
    with _set(context, ("lock_timeout",), lambda was: min(was or longest_ms, longest_ms)):
        yield


def patiently(context: MigrationContext, step: Callable[[], T], what: str) -> T:
    """Run *step*, which is committed by itself, until it gets its locks: `ATTEMPTS` times, ever more seldom.

    For a block of `short_lock_timeout`. Raises `MigrationError` in the end. The loop runs on during the pauses, and a
    cancellation ends them.
    """
    failures = 0
    while True:
        try:
            return step()
        except (LockNotAvailable, DeadlockDetected) as error:
            failures += 1
            if failures == ATTEMPTS:
                raise MigrationError(
                    f"{what} did not get its lock in {ATTEMPTS} attempts: a transaction holds the table or its rows. "
                    "Look for it in pg_stat_activity by its xact_start, end it, and run the upgrade again; it goes on "
                    "where it was."
                ) from error
        log.info("%s did not get its lock, attempt %d of %d", what, failures, ATTEMPTS)
        pause(context, backoff_s(failures, first_s=_FIRST_PAUSE_S, longest_s=_LONGEST_PAUSE_S))


def pause(context: MigrationContext, seconds: float) -> None:
    """Wait outside of any transaction, with the loop running on."""
    adapted = connection_of(context).connection.dbapi_connection
    assert adapted is not None  # noqa: S101 # a connection that is gone has raised before
    adapted.run_async(lambda _: asyncio.sleep(seconds))


@contextmanager
def _set(context: MigrationContext, names: tuple[str, ...], value_for: Callable[[int], int]) -> Generator[None]:
    connection = connection_of(context)
    was = {name: int(setting) for name, setting in connection.execute(_READ, {"names": list(names)})}
    changed = {name: value for name, setting in was.items() if (value := value_for(setting)) != setting}
    for name, value in changed.items():
        connection.execute(_WRITE, {"name": name, "value": str(value)})
    try:
        yield
    finally:
        if not connection.invalidated:
            for name in changed:
                connection.execute(_WRITE, {"name": name, "value": str(was[name])})
