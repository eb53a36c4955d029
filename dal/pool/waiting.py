"""Tasks that wait for a connection: until one is handed to them, they are shed, or their time is over.

Refuses: deciding who is next or who is shed, which is the admission's.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from dal.errors import PoolOverloaded, PoolTimeout
from dal.pool.admission import Admission
from dal.pool.lease import Lease
from dal.pool.ledger import Ledger
from dal.pool.slot import Slot
from dal.pool_config import PoolConfig

_WORDS_KEPT_S: Final = 0.05


@dataclass(slots=True, eq=False)
class _Waiter:
    since: float
    lease: Lease
    future: asyncio.Future[Slot] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Line:
    """The tasks in front of a pool; *who* says who has its connections, *cause* what the last connect failed of."""

    def __init__(
        self, config: PoolConfig, ledger: Ledger, *, who: Callable[[], str], cause: Callable[[], Exception | None]
    ) -> None:
        self._timeout_s = config.checkout_timeout_s
        self._ledger, self._who, self._cause = ledger, who, cause
        self._admission: Admission[_Waiter] = Admission(
            config.size, target_s=config.admission_target_s, max_waiting=config.max_waiting
        )
        # Learns for how long a connection was out, in seconds.
        self.held = self._admission.held
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._worded_at, self._words, self._retry_after_s = float("-inf"), "", 0.0

    def __len__(self) -> int:
        return len(self._admission)

    @property
    def is_overloaded(self) -> bool:
        """Whether no more may wait than are served in one round."""
        return self._admission.overloaded

    def check_room(self, now: float, spare: int) -> None:
        """Raise `PoolOverloaded` if nobody more may wait, where *spare* connections are still to come."""
        if not self._admission.has_room(spare):
            self._ledger.totals.shed += 1
            raise self._overload(now) from self._cause()

    def join(self, *, priority: bool) -> _Waiter:
        """Begin to wait; to be awaited by `wait`."""
        now = time.monotonic()
        waiter = _Waiter(now, Lease())
        self._admission.join(waiter, priority=priority)
        self._set_alarm(now)
        return waiter

    async def wait(self, waiter: _Waiter, give_back: Callable[[Slot], None]) -> Slot:
        """Wait for the turn; *give_back* gets the connection if the task is cancelled in the moment of its turn."""
        future = waiter.future
        try:
            return await future
        except BaseException:
            self._admission.leave(waiter)
            if future.done() and not future.cancelled() and future.exception() is None:
                give_back(future.result())
            raise

    def hand_over(self, slot: Slot, now: float) -> bool:
        """Give *slot* to whom it belongs to; False if nobody waits."""
        waiter = self._admission.next(now)
        while waiter is not None and waiter.future.done():  # cancelled, and not yet gone
            waiter = self._admission.next(now)
        if waiter is None:
            return False
        self._ledger.waited(now - waiter.since)
        slot.lease = waiter.lease
        slot.lease.begin(slot.watched, now)
        waiter.future.set_result(slot)
        return True

    def fail(self, error: Exception) -> None:
        """Let all who wait have *error*."""
        for waiter in self._admission.everybody():
            _fail(waiter, copy.copy(error), error.__cause__)

    def resize(self, size: int) -> None:
        """Be served by *size* connections from now on."""
        self._admission.resize(size)

    def stop(self) -> None:
        """Watch no more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self, now: float) -> None:
        due = self._admission.due_at(now, self._timeout_s)
        if due is None or (self._alarm is not None and self._alarm_at <= due):
            return
        self.stop()  # it was set for somebody with priority, who waits for the timeout only
        self._alarm_at = due
        self._alarm = asyncio.get_running_loop().call_later(max(due - now, 0.0), self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        now = time.monotonic()
        for waiter in self._admission.timed_out(now, self._timeout_s):
            self._ledger.timed_out()
            _fail(waiter, PoolTimeout(self._exhausted(now - waiter.since)), self._cause())
        for waiter in self._admission.shed(now):
            self._ledger.totals.shed += 1
            _fail(waiter, self._overload(now), self._cause())
        self._set_alarm(now)

    def _exhausted(self, waited_s: float) -> str:
        failure = self._cause()
        advice = (
            f"The last connect failed: {failure}"
            if failure
            else "Look for a unit of work kept open across other awaits, or raise PoolConfig.size."
        )
        return f"no connection after {waited_s:.2f} s: {self._who()} {advice}"

    def _overload(self, now: float) -> PoolOverloaded:
        """Make the error; thousands a second may need one, so its words are kept for a moment."""
        if now - self._worded_at >= _WORDS_KEPT_S:
            self._worded_at = now
            self._retry_after_s = self._admission.retry_after_s()
            self._words = (
                f"the pool is overloaded: {self._who()} "
                f"Try again in {self._retry_after_s:.2f} s, serve fewer requests at once, or raise PoolConfig.size."
            )
        return PoolOverloaded(self._words, self._retry_after_s)


def _fail(waiter: _Waiter, error: Exception, cause: BaseException | None = None) -> None:
    if not waiter.future.done():
        error.__cause__ = cause
        waiter.future.set_exception(error)
