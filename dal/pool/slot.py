"""One connection of the pool, and what the pool remembers of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy.pool import ConnectionPoolEntry

from dal.pool.driver import Watched
from dal.pool.lease import Lease

# Connections opened together end apart: HikariCP spreads them over 2.5 %, psycopg_pool over 5 %.
_JITTER: Final = 0.1


@dataclass(slots=True, eq=False)
class Slot:
    """A connection that is open; times are on the monotonic clock, in seconds."""

    record: ConnectionPoolEntry
    watched: Watched
    expires_at: float
    idle_since: float = 0.0
    checked_at: float = 0.0
    lease: Lease | None = None

    def follow(self) -> None:
        """Look at the connection that SQLAlchemy has put in the place of this one, if it has, at checkout."""
        connection = self.record.dbapi_connection
        if connection is not None and connection is not self.watched.connection:
            self.watched = Watched(connection)
            if self.lease is not None:
                self.lease.begin(self.watched, self.lease.since)

    def age(self, seconds: float) -> None:
        """Be as if *seconds* had passed."""
        self.expires_at -= seconds
        self.idle_since -= seconds
        self.checked_at -= seconds
        if self.lease is not None:
            self.lease.since -= seconds
            self.lease.touched_at -= seconds

    @property
    def driver(self) -> asyncpg.Connection:
        """The driver's connection."""
        return self.watched.driver


def expiry(now: float, lifetime_s: float) -> float:
    """Say when a connection opened *now* has to go."""
    return now + lifetime_s * (1 - _JITTER * random.random())  # noqa: S311 # spreads load, guards nothing
