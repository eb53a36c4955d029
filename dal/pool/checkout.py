"""A connection without SQLAlchemy: asyncpg's own, under the same leases, admission and recycling."""

from __future__ import annotations

from types import TracebackType

import asyncpg

from dal.errors import raise_named
from dal.pool.slot import Slot
from dal.pool.stock import Stock


class Checkout:
    """Lends a connection for the length of an `async with`; each can be entered once at a time.

    Costs no turn of the loop when a connection is idle. Every statement commits on its own unless a transaction is
    begun; a connection that comes back inside one is closed. Driver errors come out by their SQLSTATE. A statement that
    is cancelled is stopped on the server, and the connection is kept.
    """

    __slots__ = ("_priority", "_slot", "_stock")

    def __init__(self, stock: Stock, *, priority: bool) -> None:
        self._stock = stock
        self._priority = priority
        self._slot: Slot | None = None

    async def __aenter__(self) -> asyncpg.Connection:
        slot = self._stock.take(priority=self._priority) or await self._stock.wait(priority=self._priority)
        self._slot = slot
        return slot.driver

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        slot, self._slot = self._slot, None
        lost = False
        if slot is not None:
            if error is not None:
                lost = not slot.watched.is_open()  # by the server: the pool closes it later
                self._stock.totals.cancelled += slot.watched.is_cancelling()
            self._stock.put(slot)
        if error is not None:
            raise_named(error, disconnected=lost)
