"""Connections that a test took and did not give back."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from dal.pool import Lease, LeasedQueuePool

# Not weak: a pool that is disposed of lives no longer than the connections that a test has dropped.
_pools: Final[set[LeasedQueuePool]] = set()


def watch_pools() -> None:
    """Learn of every pool of dal's in this process from which a connection is taken from now on."""
    event.listen(Engine, "engine_connect", _note)


def unwatch_pools() -> None:
    """Learn of no more."""
    event.remove(Engine, "engine_connect", _note)


def leases_out() -> list[Lease]:
    """List the connections that are out now, of all pools."""
    return [lease for pool in _pools for lease in pool.leases()]


def forget_idle_pools() -> None:
    """Forget the pools that have no connection out."""
    _pools.intersection_update([pool for pool in _pools if pool.leases()])


def _note(connection: Connection, *_: Any) -> None:
    if isinstance(connection.engine.pool, LeasedQueuePool):
        _pools.add(connection.engine.pool)
