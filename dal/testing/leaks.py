"""Connections that a test took and did not give back."""

from __future__ import annotations

from dal.pool import Lease, living_pools


def leases_out() -> list[Lease]:
    """List the connections that are out now, of all pools of dal's in this process."""
    return [lease for pool in living_pools() for lease in pool.leases()]
