"""Connections that a test took and did not give back."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from dal.pool import Lease, LeasedQueuePool

# By the pool's id. An entry outlives its pool's disposal; it keeps the pool itself only while a connection is out.
_books: Final[dict[int, dict[ConnectionPoolEntry, Lease]]] = {}


def watch_pools() -> None:
    """Learn of every pool of dal's in this process from which a connection is taken from now on."""
    event.listen(Engine, "engine_connect", _note)


def unwatch_pools() -> None:
    """Learn of no more."""
    event.remove(Engine, "engine_connect", _note)


def leases_out() -> list[Lease]:
    """List the connections that are out now, of all pools; forget those that have none out."""
    for pool in [pool for pool, book in _books.items() if not book]:
        del _books[pool]
    return [lease for book in _books.values() for lease in book.values()]


def _note(connection: Connection, *_: Any) -> None:
    pool = connection.engine.pool
    if isinstance(pool, LeasedQueuePool):
        _books[id(pool)] = pool.book
