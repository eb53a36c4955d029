"""What a load tells: how far it has come, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias


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


_FIGURES: Final = ("rows", "updated", "skipped", "rejected", "sent_bytes", "statements", "peak_bytes")


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a load did: rows as the server counted them, and bytes as they were sent.

    `rows` were inserted, `updated` and `skipped` were there; of the `rejected`, `rejects` are the first hundred.
    `phases` are the seconds of `copy` (reading, encoding and sending), `judge` (records that the server refused, or was
    asked of), `publish` (out of a staging table), `rebuild` (each in `rebuilt`) and `analyze`; what is left went to
    opening and committing. `statements` were sent, those of its source among them; `peak_bytes` is the most memory that
    the process has held up to now, None where the system does not tell. As a string, a table.
    """

    rows: int
    sent_bytes: int
    seconds: float
    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    rejects: tuple[Rejected, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict[str, float])
    rebuilt: Mapping[str, float] = field(default_factory=dict[str, float])
    statements: int = 0
    peak_bytes: int | None = None

    def __str__(self) -> str:
        figures = {name: getattr(self, name) for name in _FIGURES}
        lines = [f"{name:<10} {number:>15,}" for name, number in figures.items() if number is not None]
        seconds = {"seconds": self.seconds, **self.phases, **self.rebuilt}
        lines += [f"{name:<10} {taken:>15,.3f} s" for name, taken in seconds.items()]
        lines.append(f"{'rows_per_s':<10} {self.rows_per_s:>15,.0f}")
        return "\n".join(lines + [f"record {each.record:,}: {each.reason}" for each in self.rejects])

    @property
    def rows_per_s(self) -> float:
        """The speed of the whole load, opening the source included."""
        return self.rows / self.seconds if self.seconds else 0.0
