"""An open loop: requests arrive as they please, also when nobody could answer the ones before.

Arrivals are a Poisson process, drawn before the clock starts, from a seed that is the same for every pool. A request is
checkout and statement; its client gives up `DEADLINE_S` after the *planned* arrival, so a process that is too busy to
begin a request in time gives nothing away by that. How late requests began is reported.

Good is what was answered within the deadline. Above capacity it is counted while requests arrive, and held against
what ten connections without a pool answer in that time; below, against what was offered.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import URL

from bench.pool_contenders import REFUSALS, SERVICE_S, SIZE, SLEEP, Opener, OpenPool, connected, warm

DEADLINE_S: Final = 0.25
# A process that runs, or waits to run, for this share of the time decides itself what is answered, not its pool.
SATURATED: Final = 0.9
_SEED: Final = 20
# What Linux tells of the main thread: it ran so long, and waited so long for a core.
_SCHEDSTAT: Final = Path("/proc/self/schedstat")
_BUSY: Final = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"

Outcome: TypeAlias = Literal["answered", "gave_up", "shed", "failed"]


@dataclass(frozen=True, slots=True)
class Load:
    """How many times the capacity is offered, and for how long."""

    times: float
    capacity_per_s: float
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.times:g}x"

    def arrivals_s(self, round_number: int) -> list[float]:
        """Draw the moments of one round, from its start."""
        draw = random.Random(_SEED + round_number)
        moments, now = [], 0.0
        while (now := now + draw.expovariate(self.times * self.capacity_per_s)) < self.seconds:
            moments.append(now)
        return moments


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its outcome, and when it began and ended after its planned arrival."""

    outcome: Outcome
    arrival_s: float
    late_s: float
    took_s: float


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of one round of a load; times in ms, None where there was no such request."""

    goodput: float
    requests: int
    outcomes: dict[Outcome, int]
    answered_p50_ms: float | None
    answered_p99_ms: float | None
    shed_p99_ms: float | None
    shed_max_ms: float | None
    late_p99_ms: float
    cpu_share: float
    cpu_waited_share: float

    @property
    def saturated(self) -> bool:
        """Whether the process could not keep pace: by its own work, or with others on the same cores."""
        return self.cpu_share + self.cpu_waited_share >= SATURATED


@dataclass(frozen=True, slots=True)
class Cpu:
    """A moment, and the seconds that this thread had run and had waited for a core until then."""

    at: float
    ran_s: float
    waited_s: float

    @classmethod
    def now(cls) -> Cpu:
        waited_ns = int(_SCHEDSTAT.read_text().split()[1]) if _SCHEDSTAT.exists() else 0
        return cls(time.perf_counter(), time.thread_time(), waited_ns / 1e9)


async def measure_capacity(url: URL, seconds: float) -> float:
    """Give the statements per second of ten connections, each held by one task that never pauses."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(url)) for _ in range(SIZE)]
        return sum(await asyncio.gather(*(_rate(each, seconds) for each in connections)))


async def offer(opener: Opener, url: URL, load: Load, round_number: int) -> Offered:
    """Offer *load* to a pool that is opened for it, and warm; returns when the server has nothing left to do."""
    async with warm(opener, url) as pool:
        arrivals_s, before = load.arrivals_s(round_number), Cpu.now()
        requests = await _offer(pool, arrivals_s)
        after = Cpu.now()
        await _idle(url)
    return _summary(requests, load, before, after)


async def _offer(pool: OpenPool, arrivals_s: Sequence[float]) -> list[Request]:
    """Start each request at its time, and wait for all of them, also for those that gave up."""
    started = time.monotonic()
    requests: list[Request] = []
    async with asyncio.TaskGroup() as group:
        for arrival_s in arrivals_s:
            early_s = started + arrival_s - time.monotonic()
            if early_s > 0:
                await asyncio.sleep(early_s)
            # Not kept: thousands of tasks that are done would make every collection longer.
            group.create_task(_request(pool, started, arrival_s, requests))
    return requests


async def _request(pool: OpenPool, started: float, arrival_s: float, requests: list[Request]) -> None:
    due = started + arrival_s
    late_s = time.monotonic() - due
    outcome = await _outcome(pool, due + DEADLINE_S)
    requests.append(Request(outcome, arrival_s, late_s, time.monotonic() - due))


async def _outcome(pool: OpenPool, deadline: float) -> Outcome:
    try:
        async with asyncio.timeout_at(deadline):
            await pool.sleep()
    except TimeoutError:
        return "gave_up"
    except REFUSALS:
        return "shed"
    except Exception:
        # Whatever else a pool makes of it is no answer either; the pool is not ended by it, and neither is the round.
        return "failed"
    return "answered" if time.monotonic() <= deadline else "gave_up"


def _summary(requests: Sequence[Request], load: Load, before: Cpu, after: Cpu) -> Offered:
    answered = [each for each in requests if each.outcome == "answered"]
    shed_s = [each.took_s for each in requests if each.outcome == "shed"]
    return Offered(
        goodput=round(_goodput(answered, len(requests), load), 4),
        requests=len(requests),
        outcomes={outcome: sum(each.outcome == outcome for each in requests) for outcome in get_args(Outcome)},
        answered_p50_ms=percentile_ms((each.took_s for each in answered), 0.5),
        answered_p99_ms=percentile_ms((each.took_s for each in answered), 0.99),
        shed_p99_ms=percentile_ms(shed_s, 0.99),
        shed_max_ms=percentile_ms(shed_s, 1),
        late_p99_ms=percentile_ms((each.late_s for each in requests), 0.99) or 0.0,
        cpu_share=round((after.ran_s - before.ran_s) / (after.at - before.at), 2),
        cpu_waited_share=round((after.waited_s - before.waited_s) / (after.at - before.at), 2),
    )


def _goodput(answered: Sequence[Request], requests: int, load: Load) -> float:
    if load.times < 1:
        return len(answered) / requests
    # What is answered after the last arrival was not answered in these seconds.
    in_time = sum(each.arrival_s + each.took_s <= load.seconds for each in answered)
    return in_time / (load.capacity_per_s * load.seconds)


def percentile_ms(seconds: Iterable[float], share: float) -> float | None:
    """Give the least of *seconds* that *share* of them do not exceed, in ms; None of none."""
    ordered = sorted(seconds)
    return round(ordered[math.ceil(share * len(ordered)) - 1] * 1000, 2) if ordered else None


async def _rate(connection: Any, seconds: float) -> float:
    """Give the statements per second of one connection, up to the end of the last."""
    started, answered = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        await connection.fetchval(SLEEP)
        answered += 1
    return answered / passed


async def _idle(url: URL) -> None:
    """Wait until no backend runs a statement: one that was given up may still sleep on the server."""
    async with connected(url) as connection:
        while await connection.fetchval(_BUSY):  # noqa: ASYNC110 # the server does not call when a backend is idle
            await asyncio.sleep(SERVICE_S)
