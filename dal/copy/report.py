"""What a load tells: how far it has come, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    `phases` are the seconds of `copy` (reading, encoding and sending), `judge` (records that the server refused, or was
    asked of) and `publish` (out of a staging table); what is left went to opening and committing. As a string, a table.
    """

    rows: int
    sent_bytes: int
    seconds: float
    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    rejects: tuple[Rejected, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict[str, float])

    def __str__(self) -> str:
        figures = {name: getattr(self, name) for name in ("rows", "updated", "skipped", "rejected", "sent_bytes")}
        lines = [f"{name:<10} {number:>15,}" for name, number in figures.items()]
        lines += [
            f"{name:<10} {seconds:>15,.3f} s" for name, seconds in {"seconds": self.seconds, **self.phases}.items()
        ]
        lines.append(f"{'rows_per_s':<10} {self.rows_per_s:>15,.0f}")
        return "\n".join(lines + [f"record {each.record:,}: {each.reason}" for each in self.rejects])

    @property
    def rows_per_s(self) -> float:
        """The speed of the whole load, opening the source included."""
        return self.rows / self.seconds if self.seconds else 0.0
