"""What a pool is doing and has done, in numbers.

Refuses: changing any of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# Bounds double from 0.1 ms, so that the last of them is beyond an hour.
_FIRST_BOUND_S: Final = 0.0001
_BUCKETS: Final = 26


class Histogram:
    """How often something took how long: bounds double from 0.1 ms."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * _BUCKETS

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[min(int(seconds / _FIRST_BOUND_S).bit_length(), _BUCKETS - 1)] += 1

    def quantile_s(self, share: float) -> float:
        """Give the bound, in seconds, that *share* of all stay below; 0 when there are none."""
        wanted = share * sum(self.counts)
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return float(_FIRST_BOUND_S * 2.0**bucket)
        return 0.0


@dataclass(slots=True)
class Totals:
    """What has happened since the pool was made.

    `closed` counts all that were closed, among them: `lost`, found dead; `unclean`, which came back in a transaction or
    with a statement still running; `expired`, past their lifetime or idle for too long. `cancelled` counts statements
    that were cancelled and left their connection whole.
    """

    opened: int = 0
    failed: int = 0
    closed: int = 0
    lost: int = 0
    unclean: int = 0
    expired: int = 0
    cancelled: int = 0
    checkouts: int = 0
    shed: int = 0
    timed_out: int = 0
    leaked: int = 0


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A moment of a pool; `waits` holds those checkouts that had to wait, `holds` all that are over."""

    size: int
    idle: int
    checked_out: int
    waiting: int
    opening: int
    closing: int
    recycling: int
    overloaded: bool
    totals: Totals
    waits: Histogram = field(repr=False)
    holds: Histogram = field(repr=False)
