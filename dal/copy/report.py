"""What a load tells: how far it has come, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load has come; `total_rows` and `total_bytes`, of its file, are None where the source does not know.

    Of a load that commits on its way, so many records are `committed`, loaded or rejected.
    """

    rows: int
    total_rows: int | None
    sent_bytes: int
    rejected: int = 0
    read_bytes: int | None = None
    total_bytes: int | None = None
    committed: int = 0


OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was not loaded: its number, from 1, and why; `reason` may hold its value."""

    record: int
    reason: str
    column: str | None = None
    constraint: str | None = None
    sqlstate: str | None = None


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a load did: rows as the server counted them, and bytes as they were sent.

    `rows` were inserted, `updated` and `skipped` were there; of the `rejected`, `rejects` are the first hundred.
    """

    rows: int
    sent_bytes: int
    seconds: float
    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    rejects: tuple[Rejected, ...] = ()

    @property
    def rows_per_s(self) -> float:
        """The speed of the whole load, opening the source included."""
        return self.rows / self.seconds if self.seconds else 0.0
