"""One run: volleys of faults at a busy service, and a look at everything after each."""

from __future__ import annotations

import asyncio
import logging
import random
import statistics
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
from sqlalchemy.exc import SAWarning

from dal import Database
from tests.faults.chaos import audit
from tests.faults.chaos.faults.scene import Scene
from tests.faults.chaos.faults.ways import inflict
from tests.faults.chaos.journal import Journal, Tally
from tests.faults.chaos.memory import settled_mib
from tests.faults.chaos.pace import Pace
from tests.faults.chaos.schedule import Fault, Volley, spelt
from tests.faults.chaos.service import Service
from tests.faults.chaos.traffic import WINDOW_S, Traffic
from tests.faults.chaos.world import SIZE, World, made

# How soon after a fault's end all is as before, and what "as before" is: this share of calm traffic, without an error.
RECOVERY_S: Final = 2.0
# Calm traffic is what the last windows were that had recovered, and what they would have been with a processor to
# themselves: a shared machine is not always as fast.
_FULL: Final = 0.6
_CALM_WINDOWS: Final = 9
_CALM_S: Final = 2.0
_LOOK_S: Final = 0.02
# A connection that is not there has none on three sides: the service's, and two of the network.
_MORE_FDS: Final = 3 * SIZE
_MEMORY_EACH: Final = 10
# From a third of a run to its end: what the journal of it takes, and what is scattered.
_GROWTH_MIB: Final = 16.0
# What others say of what was left to the collector; and asyncpg's futures that nobody waits for: of a connect that was
# given up while it was asked for TLS, and of a connection that was ended from here in the middle of a COPY.
_EXPECTED: Final = (
    "The garbage collector is trying",
    "Task was destroyed but it is pending",
    "Future exception was never retrieved: ConnectionError('unexpected connection_lost() call')",
    "Future exception was never retrieved: ConnectionDoesNotExistError(",
    "RuntimeError('coroutine ignored GeneratorExit')",
)


@dataclass(slots=True)
class Result:
    """What a run has seen."""

    seed: int
    volleys: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    recoveries_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    tally: Tally = field(default_factory=Tally)
    findings: list[tuple[int, str]] = field(default_factory=list)  # with the number of the volley
    leaked: int = 0
    stuck: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    memory_mib: list[float] = field(default_factory=list)  # settled, every so many volleys
    fds: list[int] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)  # operations that ended well within a window

    @property
    def growth_mib(self) -> float:
        """By how much memory has grown since a third of the run was over."""
        later = self.memory_mib[len(self.memory_mib) // 3 :]
        return later[-1] - later[0] if later else 0.0

    @property
    def undocumented(self) -> int:
        """Count errors that nobody was told to expect."""
        return sum(words.startswith("undocumented") for _, words in self.findings)


Progress = Callable[[Result], None]


def run(
    seed: int,
    volleys: Iterable[Volley],
    *,
    seconds: float | None = None,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    progress: Progress = lambda _: None,
) -> Result:
    """Make a world, and let *volleys* loose on it, for so many *seconds* or until there are none."""
    with made() as (world, db), warnings.catch_warnings(), asyncio.Runner(loop_factory=loop) as runner:
        # Of a session that was left to the collector, which is one of the faults.
        warnings.filterwarnings("ignore", message="The garbage collector is trying to clean up", category=SAWarning)
        return runner.run(_run(world, db, seed, volleys, seconds, progress))


async def _run(
    world: World, db: Database, seed: int, volleys: Iterable[Volley], seconds: float | None, progress: Progress
) -> Result:
    result = Result(seed)
    traffic = Traffic(Service(db, Journal(), random.Random(f"service {seed}")))
    heard = _Heard(traffic)
    logging.getLogger().addHandler(heard)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.take(_unhandled(context)))
    before = sys.unraisablehook
    sys.unraisablehook = lambda what: heard.take(f"{what.exc_value!r}, ignored in {what.object!r}")
    try:
        async with db:
            await _calm(traffic, seed, result)
            await _volleys(world, traffic, result, volleys, seconds, progress)
            _take(result, traffic, await audit.look(world, traffic, all_=True), is_whole=True)
            await traffic.stop()
    finally:
        sys.unraisablehook = before
        logging.getLogger().removeHandler(heard)
    result.errors, result.done = traffic.errors, traffic.done
    return result


async def _calm(traffic: Traffic, seed: int, result: Result) -> None:
    """Find out what calm traffic is; an error in it is a finding."""
    traffic.start(seed)
    await asyncio.sleep(1)
    for _ in range(int(_CALM_S / WINDOW_S)):
        pace = Pace()
        await asyncio.sleep(WINDOW_S)
        well, badly = traffic.recent()
        result.calm.append(well / pace.share)
        if badly:
            result.findings.append((-1, f"{badly} errors while all was calm: {dict(traffic.errors)}"))


async def _volleys(
    world: World,
    traffic: Traffic,
    result: Result,
    volleys: Iterable[Volley],
    seconds: float | None,
    progress: Progress,
) -> None:
    began = time.monotonic()
    for number, volley in enumerate(volleys):
        if seconds is not None and time.monotonic() - began >= seconds:
            return
        result.volleys.append(spelt(volley))
        await _volley(world, traffic, result, number, volley)
        progress(result)


async def _volley(world: World, traffic: Traffic, result: Result, number: int, volley: Volley) -> None:
    traffic.go_on()
    scenes = [Scene(world, traffic, random.Random(f"{result.seed} {number} {n}")) for n in range(len(volley))]
    async with asyncio.TaskGroup() as group:
        done = [group.create_task(_inflict(*pair)) for pair in zip(scenes, volley, strict=True)]
    for fault, is_done in zip(volley, done, strict=True):
        if is_done.result():
            result.faults[f"{fault.kind} ({fault.way})"] += 1
    recovery_s = await _recovered(traffic, result.calm)
    for fault in volley:
        result.recoveries_s[fault.kind].append(recovery_s)
    if recovery_s > RECOVERY_S:
        before = list(map(round, result.calm[-_CALM_WINDOWS:]))
        seen = f"{traffic.recent()} operations well and badly, {before} before"
        result.findings.append((number, f"goodput was not full within {RECOVERY_S} s: {seen}"))
    _take(result, traffic, await audit.look(world, traffic))


async def _inflict(scene: Scene, fault: Fault) -> bool:
    try:
        return await inflict(scene, fault)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return False  # the server was down, by another fault of the volley


async def _recovered(traffic: Traffic, calm: list[float]) -> float:
    """Wait until a whole window is as calm ones are; gives when it began, after now."""
    ended, pace = time.monotonic(), Pace()
    least = _FULL * statistics.median(calm[-_CALM_WINDOWS:])
    while (now := time.monotonic()) - ended < 2 * RECOVERY_S:
        well, badly = traffic.recent(since=ended)
        if now - ended >= WINDOW_S and well / pace.share >= least and not badly:
            calm.append(well / pace.share)
            return now - ended - WINDOW_S
        await asyncio.sleep(_LOOK_S)
    return now - ended


def _take(result: Result, traffic: Traffic, looked: audit.Looked, *, is_whole: bool = False) -> None:
    number = len(result.volleys) - 1
    result.findings.extend((number, words) for words in [*looked.findings, *traffic.findings])
    traffic.findings.clear()
    result.leaked += looked.leaked
    result.stuck += looked.stuck
    result.fds.append(looked.fds)
    if len(result.volleys) % _MEMORY_EACH == 0:
        result.memory_mib.append(settled_mib())
    if is_whole:
        result.tally = looked.tally
        if result.growth_mib > _GROWTH_MIB:
            result.findings.append((number, f"memory has grown by {result.growth_mib:.1f} MiB: {result.memory_mib}"))
        if max(result.fds) > min(result.fds) + _MORE_FDS:
            result.findings.append((number, f"file descriptors went from {min(result.fds)} to {max(result.fds)}"))


def _unhandled(context: dict[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}, in the event loop"


class _Heard(logging.Handler):
    """Takes errors that are only logged for findings, too."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__(logging.ERROR)
        self._traffic = traffic

    def emit(self, record: logging.LogRecord) -> None:
        self.take(f"{record.getMessage()}, in the log of {record.name}")

    def take(self, words: str) -> None:
        """Make a finding of it, unless it is expected."""
        if not words.startswith(_EXPECTED):
            self._traffic.findings.append(f"undocumented: {words}")
