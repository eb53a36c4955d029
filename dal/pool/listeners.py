"""What the pool hears of statements that SQLAlchemy sends: that one was cancelled."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from dal.pool.driver import Watched
from dal.pool.queue_pool import LeasedQueuePool
from dal.pool.recycling import PATIENCE_S

_WATCH: Final = "dal_watch"


def listen(engine: Engine) -> None:
    """Hear of *engine*'s statements."""
    event.listen(engine, "handle_error", _fails)


def _fails(context: ExceptionContext) -> None:
    connection = context.connection
    if isinstance(context.original_exception, asyncio.CancelledError) and connection is not None:
        _keep(context, connection)


def _keep(context: ExceptionContext, connection: Connection) -> None:
    """Keep a connection whose statement was cancelled: asyncpg has asked the server to stop, and waits for its answer.

    SQLAlchemy would cut it off, and with it the request to stop. If no answer comes the connection is cut off later,
    which also frees whoever waits to roll back.
    """
    if connection.invalidated or connection.closed:
        return
    driver: Any = connection.connection.driver_connection
    if not driver.is_closed():
        context.is_disconnect = False
        pool = connection.engine.pool
        if isinstance(pool, LeasedQueuePool):
            pool.stock.totals.cancelled += 1
        _watch(connection.connection.info, Watched(connection.connection.dbapi_connection))


def _watch(info: dict[Any, Any], watched: Watched) -> None:
    earlier = info.pop(_WATCH, None)
    if earlier is not None:
        earlier.cancel()
    info[_WATCH] = asyncio.get_running_loop().call_later(PATIENCE_S, _give_up, watched)


def _give_up(watched: Watched) -> None:
    if not watched.driver.is_closed() and watched.is_cancelling():
        watched.driver.terminate()
