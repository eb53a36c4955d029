"""A connection without SQLAlchemy: asyncpg's own, under the same leases, admission, recycling and events."""

from __future__ import annotations

from contextlib import nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util.concurrency import greenlet_spawn

from dal.errors import PoolMisused, raise_named
from dal.pool.driver import Watched
from dal.pool.priority import first_in_line
from dal.pool.slot import Slot

if TYPE_CHECKING:
    from dal.pool.queue_pool import LeasedQueuePool


class Checkout:
    """Lends a connection for the length of an `async with`; each can be entered once at a time.

    Costs no turn of the loop when a connection is idle, unless somebody listens to SQLAlchemy's pool events: then it is
    checked out as SQLAlchemy does. Every statement commits on its own unless a transaction is begun; a connection that
    comes back inside one is closed. Driver errors come out by their SQLSTATE. A statement that is cancelled is stopped
    on the server, and the connection is kept.
    """

    __slots__ = ("_pool", "_priority", "_proxied", "_slot")

    def __init__(self, pool: LeasedQueuePool, *, priority: bool) -> None:
        self._pool = pool
        self._priority = priority
        self._slot: Slot | None = None
        self._proxied: PoolProxiedConnection | None = None

    async def __aenter__(self) -> asyncpg.Connection:
        if self._slot is not None or self._proxied is not None:
            raise PoolMisused("this checkout has its connection already: call db.checkout() once more for another one.")
        events = self._pool.dispatch
        if events.checkout or events.checkin or events.reset:
            return await self._enter_with_events()
        stock = self._pool.stock
        self._slot = slot = stock.take(priority=self._priority) or await stock.wait(priority=self._priority)
        return slot.driver

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lost, driver = False, None
        if self._slot is not None:
            slot, self._slot = self._slot, None
            if error is not None:
                driver = slot.driver
                lost = not slot.watched.is_open()  # by the server: the pool closes it later
                self._pool.stock.totals.cancelled += slot.watched.is_cancelling()
            self._pool.stock.put(slot)
        elif self._proxied is not None:
            proxied, self._proxied = self._proxied, None
            if error is not None and proxied.is_valid:
                watched = Watched(proxied.dbapi_connection)
                driver = watched.driver
                lost = not watched.is_open()
                self._pool.stock.totals.cancelled += watched.is_cancelling()
            await greenlet_spawn(proxied.close)
        if error is not None:
            raise_named(error, driver=driver, disconnected=lost)

    def __del__(self) -> None:
        if self._slot is not None:
            self._pool.stock.abandon(self._slot)

    async def _enter_with_events(self) -> asyncpg.Connection:
        with first_in_line() if self._priority else nullcontext():
            self._proxied = proxied = await greenlet_spawn(self._pool.connect)
        driver: Any = proxied.driver_connection
        return driver
