"""What is looked at while the service runs: each second what is cheap, from time to time what is not."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from bench.soak_caches import cache_entries, prepared_statements
from dal import Database

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_BUCKETS_EACH: Final = 40  # of each tenfold: 6 % apart
_BACKENDS: Final = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


class Latencies:
    """Times in a histogram of fixed size: whatever grows here would be taken for a leak."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one, in steps of 6 %."""
        self._counts[math.ceil(math.log10(max(seconds, 1e-6)) * _BUCKETS_EACH)] += 1

    def __len__(self) -> int:
        return self._counts.total()

    def ms(self, share: float) -> float:
        """Give the time that *share* of them do not exceed, in ms."""
        left = share * len(self)
        for bucket, number in sorted(self._counts.items()):
            left -= number
            if left <= 0:
                return round(10 ** (bucket / _BUCKETS_EACH) * 1000, 2)
        return 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One second."""

    at_s: float
    rss_mib: float
    fds: int
    tasks: int
    opened: int
    answered: int


@dataclass(frozen=True, slots=True)
class Look:
    """What takes longer to look at; numbers are the most, or of all."""

    at_s: float
    objects: int
    caches: dict[str, int]
    statements: int
    backends: int
    backends_mib: float


@dataclass
class Watch:
    """Looks at *db* and this process, for as long as `run` runs."""

    db: Database
    outside: asyncpg.Connection
    look_every_s: float
    started: float = field(default_factory=time.monotonic)
    answered: int = 0
    samples: list[Sample] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    # Of each minute, or what stands for it.
    periods: list[Latencies] = field(default_factory=lambda: [Latencies()])

    def note(self, seconds: float) -> None:
        """Count a request that was answered."""
        self.answered += 1
        self.periods[-1].add(seconds)

    async def run(self, period_s: float) -> None:
        """Look each second; begin another period every *period_s*."""
        looked = begun = self.started
        while True:
            await asyncio.sleep(1 - (time.monotonic() - self.started) % 1)
            now = time.monotonic()
            self._sample(now - self.started)
            if now - looked >= self.look_every_s:
                looked = now
                await self._look(now - self.started)
            if now - begun >= period_s:
                begun = now
                self.periods.append(Latencies())

    def as_json(self) -> dict[str, object]:
        """Give all of it."""
        periods = [{"answered": len(each), "p50_ms": each.ms(0.5), "p99_ms": each.ms(0.99)} for each in self.periods]
        return {
            "samples": [list(asdict(each).values()) for each in self.samples],
            "looks": [asdict(each) for each in self.looks],
            "periods": periods,
        }

    def _sample(self, at_s: float) -> None:
        rss = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES / 2**20
        fds, tasks = sum(1 for _ in Path("/proc/self/fd").iterdir()), len(asyncio.all_tasks())
        opened = self.db.pool.status().totals.opened
        self.samples.append(Sample(round(at_s, 1), round(rss, 2), fds, tasks, opened, self.answered))

    async def _look(self, at_s: float) -> None:
        backends = [row["pid"] for row in await self.outside.fetch(_BACKENDS)]
        statements = await prepared_statements(self.db)
        self.looks.append(
            Look(
                round(at_s, 1), len(gc.get_objects()), cache_entries(self.db), max(statements),
                len(backends), round(sum(map(_private_mib, backends)), 2),
            )
        )  # fmt: skip


def _private_mib(pid: int) -> float:
    """Give the memory of a backend that is its own: the rest is the server's cache, in which all share."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")), 0.0)
