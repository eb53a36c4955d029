"""Time that passes for a pool only: what it does after half an hour, seen at once.

Refuses: stopping any other clock.
"""

from __future__ import annotations

import time

from dal.database import Database
from dal.pool.upkeep import look


class Clock:
    """The time of *db*'s pool."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def advance(self, seconds: float) -> None:
        """Let every connection be older, and silent and held for longer, by *seconds*; then let the pool look.

        What the pool begins to close, to ping or to open goes on in the background: wait for its `status()`.
        """
        stock = self._db.pool.stock
        for slot in stock.slots:
            slot.age(seconds)
        look(stock, time.monotonic())
