"""What the service does: each operation with its share, and how long it may take whatever fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from tests.faults.chaos.service import Service
from tests.faults.chaos.work import reads, writes

# A read ends with its timeout, and what its cancellation takes.
_READ_S: Final = 4.0
# A transaction has its timeout, five seconds more for a COMMIT that is under way, ten more to ask what became of it.
_WRITE_S: Final = 20.0
# Attempts may begin for three seconds; the last of them takes what one takes.
_RETRIED_S: Final = 25.0


class Operation(NamedTuple):
    """One thing that the service does."""

    call: Callable[[Service], Awaitable[None]]
    weight: int
    deadline_s: float

    @property
    def name(self) -> str:
        """Say what it is."""
        return getattr(self.call, "__name__", repr(self.call))


OPERATIONS: Final = (
    Operation(writes.transfer, 12, _RETRIED_S),
    Operation(writes.add_one, 4, _READ_S),
    Operation(writes.insert_many, 2, _WRITE_S),
    Operation(writes.copy_some, 2, _WRITE_S),
    Operation(writes.savepoint, 3, _WRITE_S),
    Operation(writes.left_open, 1, _READ_S),
    Operation(writes.load, 2, _WRITE_S),
    Operation(writes.note, 1, _READ_S),
    Operation(reads.projection, 4, _READ_S),
    Operation(reads.lookups, 8, _READ_S),
    Operation(reads.entity, 4, _READ_S),
    Operation(reads.batch, 4, _WRITE_S),
    Operation(reads.total, 3, _READ_S),
    Operation(reads.tenant, 4, _WRITE_S),
    Operation(reads.sort, 2, _READ_S),
    Operation(reads.slow, 2, _WRITE_S),
    Operation(reads.walk, 2, 6 * _READ_S),
    Operation(reads.churn, 2, _READ_S),
)
