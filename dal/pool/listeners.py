"""What the pool hears of statements that SQLAlchemy sends: which one a lease is at, and that it was cancelled."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from dal.pool.driver import is_cancelling
from dal.pool.lease import Lease
from dal.pool.queue_pool import LEASE, LeasedQueuePool
from dal.pool.recycling import PATIENCE_S

_WATCH: Final = "dal_watch"


def listen(engine: Engine) -> None:
    """Hear of *engine*'s statements."""
    event.listen(engine, "before_cursor_execute", _begins)
    event.listen(engine, "after_cursor_execute", _ends)
    event.listen(engine, "handle_error", _fails)


def _begins(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    lease = _lease(connection)
    if lease is not None:
        lease.begins(statement)


def _ends(connection: Connection, *_: Any) -> None:
    lease = _lease(connection)
    if lease is not None:
        lease.ends()


def _fails(context: ExceptionContext) -> None:
    connection = context.connection
    if connection is None or connection.invalidated or connection.closed:
        return
    lease = _lease(connection)
    if lease is not None:
        lease.ends()
    if isinstance(context.original_exception, asyncio.CancelledError):
        _keep(context, connection)


def _keep(context: ExceptionContext, connection: Connection) -> None:
    """Keep a connection whose statement was cancelled: asyncpg has asked the server to stop, and waits for its answer.

    SQLAlchemy would cut it off, and with it the request to stop. If no answer comes the connection is cut off later,
    which also frees whoever waits to roll back.
    """
    driver: Any = connection.connection.driver_connection
    if not driver.is_closed():
        context.is_disconnect = False
        pool = connection.engine.pool
        if isinstance(pool, LeasedQueuePool):
            pool.stock.totals.cancelled += 1
        _watch(connection.connection.info, driver)


def _watch(info: dict[Any, Any], driver: asyncpg.Connection) -> None:
    earlier = info.pop(_WATCH, None)
    if earlier is not None:
        earlier.cancel()
    info[_WATCH] = asyncio.get_running_loop().call_later(PATIENCE_S, _give_up, driver)


def _give_up(driver: asyncpg.Connection) -> None:
    if not driver.is_closed() and is_cancelling(driver):
        driver.terminate()


def _lease(connection: Connection) -> Lease | None:
    info = connection.connection.record_info
    return None if info is None else info.get(LEASE)
