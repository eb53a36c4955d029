"""What a soak comes to: figures, and the bounds that they must keep. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import Final

from bench.soak_watch import Latencies, Look, Sample

# What SQLAlchemy and asyncpg keep for one connection, a hundred each, SQLAlchemy's half as large again at times.
STATEMENTS_AT_MOST: Final = 260
# The largest cache of a function; those of SQLAlchemy's kind hold 500, and half as many again.
ENTRIES_AT_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, and the most that it may be; None for what is only shown."""

    name: str
    value: float
    most: float | None = None

    @property
    def is_broken(self) -> bool:
        """Whether the bound is not kept."""
        return self.most is not None and self.value > self.most

    def __str__(self) -> str:
        target = "" if self.most is None else f" (target {self.most:g} or less{', MISSED' if self.is_broken else ''})"
        return f"{self.name} {self.value:.2f}{target}"


def figures(
    samples: Sequence[Sample], looks: Sequence[Look], periods: Sequence[Latencies], warm_s: float
) -> list[Figure]:
    """Judge what was seen from *warm_s* on, and of *periods* all."""
    warm = [each for each in samples if each.at_s >= warm_s]
    seen = [each for each in looks if each.at_s >= warm_s] or list(looks)
    minutes = [each.at_s / 60 for each in warm]
    slope = linear_regression(minutes, [each.rss_mib for each in warm]).slope
    objects = linear_regression([each.at_s / 60 for each in seen], [each.objects for each in seen]).slope
    ends = max(1, len(warm) // 10)
    return [
        Figure("rss_slope_mib_per_minute", slope, 1),
        Figure("rss_start_mib", warm[0].rss_mib),
        Figure("rss_end_mib", warm[-1].rss_mib),
        Figure("objects_slope_per_minute", objects),
        Figure("connections_opened_after_warm_up", warm[-1].opened - warm[0].opened, 10),
        Figure("prepared_statements_per_connection_most", max(each.statements for each in seen), STATEMENTS_AT_MOST),
        Figure("cache_entries_most", max(max(each.caches.values()) for each in seen), ENTRIES_AT_MOST),
        Figure("server_backend_mib_drift", _per_backend(seen[-1]) / _per_backend(seen[0])),
        Figure("p99_drift", _drift([each.ms(0.99) for each in periods]), 1.5),
        Figure("fds_drift", _drift_of(warm, "fds", ends), 2),
        Figure("tasks_drift", _drift_of(warm, "tasks", ends)),
    ]


def _drift(values: Sequence[float]) -> float:
    """Compare the last third with the first."""
    third = max(1, len(values) // 3)
    return median(values[-third:]) / (median(values[:third]) or 1)


def _drift_of(samples: Sequence[Sample], name: str, ends: int) -> float:
    values = [float(getattr(each, name)) for each in samples]
    return median(values[-ends:]) - median(values[:ends])


def _per_backend(look: Look) -> float:
    return look.backends_mib / max(look.backends, 1) or 1.0
