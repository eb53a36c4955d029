"""What a pool does by itself from time to time.

It closes what is old or idle, asks silent connections for a sign of life, keeps the floor, and speaks up about leases
that look forgotten.

Refuses: closing or pinging by itself; the stock does.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import Final

from dal.pool.lease import Lease
from dal.pool.ledger import logger
from dal.pool.stock import Stock

# Often enough for limits of minutes; limits of less are looked at four times within them.
_LONGEST_S: Final = 1.0
_SHORTEST_S: Final = 0.01


class Upkeep:
    """Looks at a stock every so often, for as long as the stock is there."""

    def __init__(self, stock: Stock) -> None:
        limits = stock.config
        shortest = min(
            limits.max_lifetime_s, limits.idle_timeout_s, limits.keepalive_s, limits.leak_after_s,
            limits.idle_in_transaction_s,
        )  # fmt: skip
        self._period_s = max(_SHORTEST_S, min(_LONGEST_S, shortest / 4))
        self._stock = weakref.ref(stock)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look from now on."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._period_s, self._tick)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        stock = self._stock()
        if stock is not None and not stock.is_closed:
            look(stock, time.monotonic())
            self.start()


def look(stock: Stock, now: float) -> None:
    """Do what is due *now*."""
    for slot in list(stock.idle):
        if slot.expires_at <= now or (_is_spare(stock) and now - slot.idle_since >= stock.config.idle_timeout_s):
            stock.totals.expired += 1
            stock.idle.remove(slot)
            stock.drop(slot)
        elif now - slot.checked_at >= stock.config.keepalive_s:
            stock.ping(slot)
    for slot in stock.slots:
        slot.follow()
        if slot.lease is not None:
            slot.lease.look(now)
            _report(stock, slot.lease, now)
    stock.opener.grow()


def _is_spare(stock: Stock) -> bool:
    return len(stock.slots) > stock.floor


def _report(stock: Stock, lease: Lease, now: float) -> None:
    if not lease.reported and now - lease.since >= stock.config.leak_after_s:
        lease.reported = True
        stock.totals.leaked += 1
        logger.warning("a connection was not given back: %s. Is its session or unit of work ever closed?", str(lease))
    if (
        not lease.reported_idle
        and lease.in_transaction
        and now - lease.touched_at >= stock.config.idle_in_transaction_s
    ):
        lease.reported_idle = True
        logger.warning(
            "a transaction waits for something else than its statements: %s. "
            "Give the connection back before a slow call, and take it again after.",
            str(lease),
        )
