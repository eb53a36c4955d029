"""SQLAlchemy's asyncio queue pool, with a lease for every connection that is out.

The one module that overrides SQLAlchemy's pool: `_do_get` and `recreate`, the shape that every built-in pool has; held
by a contract test.
"""

from __future__ import annotations

import time
from typing import Any, Final

from sqlalchemy import AsyncAdaptedQueuePool, event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from dal.errors import PoolTimeout
from dal.pool.lease import Lease

_HOLDERS_NAMED: Final = 3


class LeasedQueuePool(AsyncAdaptedQueuePool):
    """A queue pool that knows who holds each connection, and checks a connection's socket without a round trip."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.waiting = 0
        self.book: dict[ConnectionPoolEntry, Lease] = {}
        event.listen(self, "checkout", self._on_checkout)
        event.listen(self, "checkin", self._on_checkin)

    def recreate(self) -> LeasedQueuePool:
        """Make the pool that follows a `dispose()`."""
        # SQLAlchemy hands the events on to the new pool; ours must go to the new pool's own book.
        event.remove(self, "checkout", self._on_checkout)
        event.remove(self, "checkin", self._on_checkin)
        pool = super().recreate()
        assert isinstance(pool, LeasedQueuePool)  # noqa: S101 # recreate() calls this very class
        return pool

    def leases(self) -> list[Lease]:
        """List the connections that are out, longest held first."""
        return sorted(self.book.values(), key=lambda lease: lease.since)

    def terminate_leased(self) -> None:
        """End the connections that are out: what the garbage collector finds of them later is none of its business."""
        for record in list(self.book):
            record.invalidate()

    def _do_get(self) -> ConnectionPoolEntry:
        started = time.monotonic()
        self.waiting += 1
        try:
            return super()._do_get()
        except PoolTimeout:
            raise  # from the call that QueuePool makes to itself
        except exc.TimeoutError as error:
            raise PoolTimeout(self._exhausted(time.monotonic() - started)) from error
        finally:
            self.waiting -= 1

    def _exhausted(self, waited_s: float) -> str:
        leases = self.leases()
        holders = "; ".join(str(lease) for lease in leases[:_HOLDERS_NAMED]) or "nobody on record"
        most = self.size() + max(self._max_overflow, 0)
        return (
            f"no connection after {waited_s:.2f} s: {len(leases)} of {most} are out, {self.waiting} wait. "
            f"Longest held: {holders}. "
            "Look for a unit of work kept open across other awaits, or raise PoolConfig.size."
        )

    def _on_checkout(self, connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        driver: Any = record.driver_connection
        if driver.is_closed():
            # The loop has already seen the server's FIN: this costs no round trip, and replaces the connection.
            raise exc.DisconnectionError("the server closed this connection while it was idle")
        self.book[record] = Lease.take()

    def _on_checkin(self, connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        self.book.pop(record, None)
        driver: Any = record.driver_connection
        if driver is not None and not driver.is_closed() and driver.is_in_transaction():
            # Whoever left it so, the next one must not write into his transaction; the checkout will replace it.
            driver.terminate()
