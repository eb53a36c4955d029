"""Connections that a test took and did not give back."""

from __future__ import annotations

import weakref
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from dal.pool import Lease, LeasedQueuePool

# One that is disposed of lives on while a connection of it is out.
_pools: Final[weakref.WeakSet[LeasedQueuePool]] = weakref.WeakSet()


def watch_pools() -> None:
    """Learn of every pool of dal's in this process from which a connection is taken from now on."""
    event.listen(Engine, "engine_connect", _note)


def unwatch_pools() -> None:
    """Learn of no more."""
    event.remove(Engine, "engine_connect", _note)


def leases_out() -> list[Lease]:
    """List the connections that are out now, of all pools."""
    return [lease for pool in _pools for lease in pool.leases()]


def _note(connection: Connection, *_: Any) -> None:
    pool = connection.engine.pool
    if isinstance(pool, LeasedQueuePool):
        _pools.add(pool)
