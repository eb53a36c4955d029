"""What a pool counts, logs, and tells an observer.

Refuses: deciding anything by it.
"""

from __future__ import annotations

import logging
from typing import Final

from dal.observer import Observer
from dal.pool.lease import Lease
from dal.pool.status import Histogram, Totals

logger: Final = logging.getLogger("dal.pool")
# The names of OpenTelemetry's semantic conventions for database client pools; times in seconds.
WAIT_TIME: Final = "db.client.connection.wait_time"
USE_TIME: Final = "db.client.connection.use_time"
CREATE_TIME: Final = "db.client.connection.create_time"
TIMEOUTS: Final = "db.client.connection.timeouts"


class Ledger:
    """The totals and histograms of one pool; *observer* hears of what it measures."""

    def __init__(self, observer: Observer | None) -> None:
        self.observer = observer
        self.totals = Totals()
        self.waits = Histogram()
        self.holds = Histogram()

    def waited(self, seconds: float) -> None:
        """Note that a checkout had to wait."""
        self.totals.checkouts += 1
        self.waits.add(seconds)
        self._tell(WAIT_TIME, seconds)

    def used(self, lease: Lease, seconds: float) -> None:
        """Note that a lease is over."""
        self.holds.add(seconds)
        self._tell(USE_TIME, seconds)
        if lease.reported or lease.reported_idle:
            logger.warning("a connection that was held for long came back: %s", str(lease))

    def abandoned(self, lease: Lease) -> None:
        """Note that a lease was never ended, and cannot be any more."""
        logger.warning(
            "a connection was never given back, and is closed: %s. Use `async with db.checkout()`.", str(lease)
        )

    def created(self, seconds: float) -> None:
        """Note that a connection was opened."""
        self._tell(CREATE_TIME, seconds)

    def timed_out(self) -> None:
        """Note that a task waited for as long as it may."""
        self.totals.timed_out += 1
        self._tell(TIMEOUTS, 1)

    def _tell(self, metric: str, value: float) -> None:
        if self.observer is None:
            return
        try:
            self.observer.record(metric, value)
        except Exception:
            logger.exception("the pool's observer failed at %s", metric)  # and must not take a connection with it
