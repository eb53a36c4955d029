"""SQLAlchemy's asyncio queue pool with dal's stock of connections in the place of its queue.

The one module that overrides SQLAlchemy's pool: `_do_get`, `_do_return_conn`, `_close_connection`, `_invalidate` and
`recreate`, held by a contract test. Refuses: deciding who gets a connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from weakref import WeakSet

import asyncpg
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util.concurrency import await_, greenlet_spawn, in_greenlet

from dal.errors import CannotConnect
from dal.observer import Observer
from dal.pool.checkout import Checkout
from dal.pool.driver import Watched
from dal.pool.lease import Lease
from dal.pool.priority import is_first_in_line
from dal.pool.slot import Slot, expiry
from dal.pool.status import PoolStatus
from dal.pool.stock import Stock
from dal.pool.upkeep import Upkeep
from dal.pool_config import PoolConfig

_living: Final[WeakSet[LeasedQueuePool]] = WeakSet()
# Under which name a record knows its slot.
_SLOT: Final = "dal_slot"


def living_pools() -> list[LeasedQueuePool]:
    """List the pools of this process: one that is disposed of lives on while a connection of it is out."""
    return list(_living)


class LeasedQueuePool(AsyncAdaptedQueuePool):
    """A queue pool that knows who holds each connection, sheds what it cannot serve, and connects in the background."""

    def __init__(
        self,
        creator: Callable[..., Any],
        pool_config: PoolConfig | None = None,
        pool_observer: Observer | None = None,
        **options: Any,
    ) -> None:
        super().__init__(creator, **options)
        self.stock = Stock(
            pool_config or PoolConfig(), self._open, closing=self._tell_of_closing, observer=pool_observer
        )
        self._upkeep = Upkeep(self.stock)
        _living.add(self)

    def recreate(self) -> LeasedQueuePool:
        """Make the pool that follows a `dispose()`."""
        return type(self)(
            self._creator,
            pool_config=self.stock.config,
            pool_observer=self.stock.ledger.observer,
            echo=self.echo,
            logging_name=self._orig_logging_name,
            reset_on_return=self._reset_on_return,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )

    def dispose(self) -> None:
        """Close what is idle, and what is out when it comes back; nothing is given out any more."""
        self._upkeep.stop()
        self.stock.stop()
        if in_greenlet():
            await_(self.stock.close())

    # What an application asks of it.

    def checkout(self, *, priority: bool = False) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Lend asyncpg's connection: without SQLAlchemy, and without a greenlet when one is idle."""
        return Checkout(self, priority=priority)

    def status(self) -> PoolStatus:  # type: ignore[override] # SQLAlchemy gives a text; this one's str() says as much
        """Say how things are at this moment."""
        return self.stock.status()

    def leases(self) -> list[Lease]:
        """List the connections that are out, longest held first."""
        return self.stock.leases()

    def resize(self, size: int) -> None:
        """Hold *size* connections from now on; those that are out and too many go when they come back."""
        self.stock.resize(size)

    def expire(self, spread_s: float = 60.0) -> None:
        """Replace every connection, spread by chance over *spread_s*: after a failover, or for new credentials."""
        self.stock.expire(spread_s)

    async def close(self) -> None:
        """Close what is idle; what is out is closed when it comes back."""
        self._upkeep.stop()
        await self.stock.close()

    async def drain(self, deadline_s: float) -> int:
        """Give out nothing more, wait up to *deadline_s* for what is out, close all; gives how many were cut off."""
        self._upkeep.stop()
        return await self.stock.drain(deadline_s)

    def terminate_leased(self) -> None:
        """End the connections that are out: what the garbage collector finds of them later is none of its business."""
        for slot in [slot for slot in self.stock.slots if slot.lease is not None]:
            slot.record.invalidate()

    # What SQLAlchemy asks of it.

    def size(self) -> int:
        """Say how many connections the pool holds."""
        return self.stock.size

    def checkedin(self) -> int:
        """Say how many are idle."""
        return len(self.stock.idle)

    def checkedout(self) -> int:
        """Say how many are out."""
        return len(self.stock.leases())

    def overflow(self) -> int:
        """Say how many are open beyond the size; less than 0 while there is room."""
        return len(self.stock.slots) - self.stock.size

    def _do_get(self) -> ConnectionPoolEntry:
        priority = is_first_in_line()
        slot = self.stock.take(priority=priority) or await_(self.stock.wait(priority=priority))
        return slot.record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        slot: Slot = record.record_info[_SLOT]  # type: ignore[index] # None is for records without a pool
        if record.dbapi_connection is None:  # invalidated or detached
            self.stock.lose(slot)
            return
        slot.follow()
        self.stock.put(slot)

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        driver: Any = connection
        self.stock.close_driver(driver.driver_connection)

    def _invalidate(
        self,
        connection: PoolProxiedConnection,
        exception: BaseException | None = None,
        _checkin: bool = True,  # noqa: FBT001, FBT002 # SQLAlchemy's own signature
    ) -> None:
        if _checkin and connection.is_valid:
            connection.invalidate(exception)
        self.stock.suspect()

    def _tell_of_closing(self, slot: Slot) -> None:
        if self.dispatch.close:
            self.dispatch.close(slot.watched.connection, slot.record)

    async def _open(self) -> Slot:
        started = time.monotonic()
        # asyncpg keeps the limit of the handshake; SQLAlchemy's first questions to a server come on top.
        limit_s = 2 * self.stock.config.connect_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                record = await greenlet_spawn(self._create_connection)
        except TimeoutError as error:
            raise CannotConnect(f"the server took a connection, and said nothing for {limit_s} s.") from error
        now = time.monotonic()
        self.stock.ledger.created(now - started)
        self._upkeep.start()
        slot = Slot(record, Watched(record.dbapi_connection), expires_at=expiry(now, self.stock.config.max_lifetime_s))
        record.record_info[_SLOT] = slot  # type: ignore[index] # see above
        return slot
