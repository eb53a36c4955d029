"""The tasks that keep a service busy: each operation in a task of its own, watched for its time and its end.

They rest between operations, so that calm traffic is bounded by them and not by the machine.
"""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from dal import errors
from tests.faults.chaos.service import Service, WrongAnswer
from tests.faults.chaos.work import OPERATIONS, Operation

# What a service is told of a fault, and nothing else.
DOCUMENTED: Final = (
    errors.CannotConnect,
    errors.CommitOutcomeUnknown,
    errors.ConnectionLost,
    errors.IdleInTransactionSessionTimeout,
    errors.InsufficientResources,
    errors.LockNotAvailable,
    errors.PoolOverloaded,
    errors.PoolTimeout,
    errors.QueryCanceled,
    errors.TransactionRollback,
    errors.UnitOfWorkTimeout,
)
TASKS: Final = 10
_REST_S: Final = 0.03
WINDOW_S: Final = 0.5


@dataclass(slots=True, eq=False)
class Running:
    """An operation under way."""

    operation: Operation
    task: asyncio.Task[None]
    began: float
    is_cancelled: bool = False

    def cancel(self) -> None:
        """Cancel it, as whoever waits for its answer may."""
        self.is_cancelled = True
        self.task.cancel()


@dataclass(slots=True)
class Traffic:
    """Busy tasks, and what became of all they did."""

    service: Service
    running: set[Running] = field(default_factory=set)
    ends: deque[tuple[float, bool]] = field(default_factory=deque)  # when, and whether all was well
    errors: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _workers: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, seed: int) -> None:
        """Begin to work."""
        self._open.set()
        self._workers = [asyncio.create_task(self._work(random.Random(f"{seed} {n}"))) for n in range(TASKS)]

    def pause(self) -> None:
        """Begin nothing new."""
        self._open.clear()

    def go_on(self) -> None:
        """Begin again."""
        self._open.set()

    async def stop(self) -> None:
        """End the workers; what is under way is ended with them."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def late(self, now: float) -> dict[Running, str]:
        """Name operations that are under way for longer than they may."""
        return {
            one: f"{one.operation.name} is under way for {now - one.began:.1f} s: {_where(one.task)}"
            for one in self.running
            if now - one.began > one.operation.deadline_s
        }

    def recent(self, since: float = 0.0) -> tuple[int, int]:
        """Count what ended well and what did not within the last window, or *since* if that is later."""
        since = max(since, time.monotonic() - WINDOW_S)
        while self.ends and self.ends[0][0] < since:
            self.ends.popleft()
        well = sum(is_well for _, is_well in self.ends)
        return well, len(self.ends) - well

    async def _work(self, chance: random.Random) -> None:
        weights = [operation.weight for operation in OPERATIONS]
        while True:
            await self._open.wait()
            [operation] = chance.choices(OPERATIONS, weights)
            await self._one(operation)
            await asyncio.sleep(chance.uniform(0, 2 * _REST_S))

    async def _one(self, operation: Operation) -> None:
        task = asyncio.ensure_future(operation.call(self.service))
        assert isinstance(task, asyncio.Task)
        one = Running(operation, task, time.monotonic())
        self.running.add(one)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            self.running.discard(one)
        self._note(one)

    def _note(self, one: Running) -> None:
        error = asyncio.CancelledError() if one.task.cancelled() else one.task.exception()
        if error is None:
            self.done[one.operation.name] += 1
        else:
            self.errors[type(error).__name__] += 1
        if one.is_cancelled:
            return
        self.ends.append((time.monotonic(), error is None))
        if error is not None and not _is_documented(error):
            kind = "wrong answer" if isinstance(error, WrongAnswer) else "undocumented"
            self.findings.append(f"{kind} of {one.operation.name}: {_told(error)}")


def _is_documented(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_documented, error.exceptions))
    # The operations' own deadline.
    return isinstance(error, DOCUMENTED) or type(error) is TimeoutError


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-6000:]


def _where(task: asyncio.Task[None]) -> str:
    with suppress(IndexError):
        frame = task.get_stack(limit=1)[0]
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return "nowhere"
