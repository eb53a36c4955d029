"""The connections of a pool: which are idle, who has the others, and who gets the next one.

A connection that comes back belongs to the one whose turn it is: it is handed over, never left for a newcomer to take.
So whoever finds one idle may have it at once, without a greenlet and without a turn of the loop.

Refuses: knowing SQLAlchemy; opening and closing are given to it.
"""

from __future__ import annotations

import asyncio
import copy
import os
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from dal.errors import (
    InvalidAuthorization,
    InvalidCatalogName,
    PoolClosed,
    PoolMisused,
    PoolOverloaded,
    PoolTimeout,
)
from dal.pool import status
from dal.pool.admission import Admission
from dal.pool.closing import Closer
from dal.pool.lease import Lease
from dal.pool.opening import Opener
from dal.pool.recycling import Recycler
from dal.pool.slot import Slot
from dal.pool_config import PoolConfig

_HOLDERS_NAMED: Final = 3
_WORDS_KEPT_S: Final = 0.05
# How often a drain looks whether all have come back.
_LOOK_S: Final = 0.01
# Trying again would not help: somebody has to change the password or create the database.
_FINAL_FAILURES: Final = (InvalidAuthorization, InvalidCatalogName)


@dataclass(slots=True, eq=False)
class _Waiter:
    since: float
    lease: Lease
    future: asyncio.Future[Slot] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Stock:
    """All connections of one pool, in one event loop: the one that it is first used in.

    *connect* opens a connection. Whoever has taken one gives it back by `put`.
    """

    def __init__(
        self, config: PoolConfig, connect: Callable[[], Awaitable[Slot]], observer: status.PoolObserver | None = None
    ) -> None:
        self.config = config
        self.size = config.size
        self.slots: set[Slot] = set()
        self.idle: list[Slot] = []
        self.is_closed = False
        self.totals = status.Totals()
        self.waits = status.Histogram()
        self.holds = status.Histogram()
        self.line: Admission[_Waiter] = Admission(
            config.size, target_s=config.admission_target_s, max_waiting=config.max_waiting
        )
        self.opener = Opener(connect, wanted=self._wanted, opened=self._opened, failed=self._not_opened)
        self.closer = Closer(self.opener.grow)
        self.recycler = Recycler(config.recycling, self.give, self.drop)
        self.observer = observer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._worded_at, self._words, self._retry_after_s = float("-inf"), "", 0.0

    # Checking out.

    def take(self, *, priority: bool = False) -> Slot | None:
        """Lease the connection that came back last; None if one has to be waited for, which `wait` does.

        Raises `PoolOverloaded` if there is no room for another one who waits, unless it has *priority*.
        """
        self._check_place()
        now = time.monotonic()
        while self.idle:
            slot = self.idle.pop()
            if slot.watched.is_closed():
                # The loop has already seen the server's FIN: this costs no round trip.
                self.totals.lost += 1
                self.drop(slot)
            elif slot.expires_at <= now:
                self.totals.expired += 1
                self.drop(slot)
            else:
                self.totals.checkouts += 1
                slot.lease = Lease()
                slot.lease.begin(slot.watched, now)
                return slot
        if not (priority or self.line.has_room()):
            self.totals.shed += 1
            raise self._overload(now)
        return None

    async def wait(self, *, priority: bool = False) -> Slot:
        """Lease the next connection that comes back or is opened, when it is this task's turn.

        After `take` only. Raises `PoolOverloaded` or `PoolTimeout`. A waiter with *priority* goes first and is never
        shed. If the task is cancelled in the moment of its turn, the connection goes to the next one.
        """
        now = time.monotonic()
        waiter = _Waiter(now, Lease())
        self.line.join(waiter, priority=priority)
        self.opener.grow()
        self._set_alarm(now)
        try:
            return await waiter.future
        except BaseException:
            self._withdraw(waiter)
            raise

    # Checking in.

    def put(self, slot: Slot) -> None:
        """Take back a connection that was leased: it goes to whose turn it is, or is made fit first, or goes."""
        lease, slot.lease = slot.lease, None
        now = time.monotonic()
        if lease is not None:
            self._note_hold(lease, now - lease.since)
        if self.is_closed:
            self.drop(slot)
        elif slot.watched.is_closed():
            self.totals.lost += 1
            self.drop(slot)
            self.suspect()
        elif slot.expires_at <= now:
            self.totals.expired += 1
            self.drop(slot)
        elif self.recycler.is_clean(slot):
            self.give(slot)
        elif self.recycler.can_mend(slot):
            self.recycler.start(slot)
        else:
            self.totals.unclean += 1
            self.drop(slot)

    def give(self, slot: Slot) -> None:
        """Hand a connection that is fit to whose turn it is; without one it is idle, or goes if there are too many."""
        now = time.monotonic()
        waiter = self.line.next(now)
        while waiter is not None and waiter.future.done():  # cancelled, and not yet gone
            waiter = self.line.next(now)
        if waiter is not None:
            self._hand_over(slot, waiter, now)
        elif self.is_closed or len(self.slots) > self.size:
            self.drop(slot)
        else:
            slot.idle_since = slot.checked_at = now
            self.idle.append(slot)

    def drop(self, slot: Slot) -> None:
        """Close a connection, in the background, and open another one if it is missed."""
        self.forget(slot)
        self.closer.close(slot.driver)
        if not self.is_closed:
            self.opener.grow()

    def lose(self, slot: Slot) -> None:
        """Take note that a connection which was leased does not come back: it broke, or whoever had it keeps it."""
        if slot.lease is not None:
            self._note_hold(slot.lease, time.monotonic() - slot.lease.since)
        self.totals.lost += slot.watched.is_closed()
        self.forget(slot)
        with suppress(RuntimeError):  # the garbage collector, outside a running loop: nobody waits there
            asyncio.get_running_loop().call_soon(self.opener.grow)

    def forget(self, slot: Slot) -> None:
        """Count a connection no more."""
        slot.lease = None
        if slot in self.slots:
            self.slots.remove(slot)
            self.totals.closed += 1

    # The whole.

    async def open(self) -> None:
        """Open the floor; raises what the first connect fails of."""
        self._check_place()
        if not self.slots:
            await self.opener.open_one()
        self.opener.grow()
        await self.opener.done()
        if len(self.slots) < min(self.config.floor, self.size) and self.opener.last_failure is not None:
            raise self.opener.last_failure

    def resize(self, size: int) -> None:
        """Hold *size* connections from now on; those that are out and too many go when they come back."""
        self.size = size
        while self.idle and len(self.slots) > size:
            self.drop(self.idle.pop(0))
        self.opener.grow()

    def suspect(self) -> None:
        """Ask all idle connections for a sign of life: another one was found dead."""
        while self.idle:
            self.recycler.ping(self.idle.pop())

    def expire(self, spread_s: float) -> None:
        """Replace every connection, spread by chance over *spread_s*; one that is out goes when it comes back."""
        now = time.monotonic()
        for slot in self.slots:
            slot.expires_at = now + spread_s * random.random()  # noqa: S311 # spreads load, guards nothing

    async def close(self) -> None:
        """Close what is idle; what is out is closed when it comes back. Those who wait get `PoolClosed`."""
        self.stop()
        for work in (self.opener, self.recycler, self.closer):
            await work.done()

    async def drain(self, deadline_s: float) -> int:
        """Give out nothing any more, wait up to *deadline_s* for what is out, close all; gives how many were left."""
        self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self.slots:  # noqa: ASYNC110 # an Event would be set at every checkin, for this alone
                    await asyncio.sleep(_LOOK_S)
        left = [slot for slot in self.slots if slot.lease is not None]
        for slot in left:
            slot.driver.terminate()
        await self.close()
        return len(left)

    def stop(self) -> None:
        """Give out nothing any more, and begin to close what is idle."""
        self.is_closed = True
        self.opener.stop()
        self.recycler.stop()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for waiter in self.line.everybody():
            self._fail(waiter, PoolClosed("the pool was closed while this task waited for a connection."))
        while self.idle:
            self.drop(self.idle.pop())

    def leases(self) -> list[Lease]:
        """List the connections that are out, longest held first."""
        return sorted((slot.lease for slot in self.slots if slot.lease), key=lambda lease: lease.since)

    def status(self) -> status.PoolStatus:
        """Say how things are at this moment."""
        return status.PoolStatus(
            size=self.size,
            idle=len(self.idle),
            checked_out=sum(slot.lease is not None for slot in self.slots),
            waiting=len(self.line),
            opening=self.opener.opening,
            closing=len(self.closer),
            overloaded=self.line.overloaded,
            totals=copy.copy(self.totals),
            waits=self.waits,
            holds=self.holds,
        )

    def observe(self, metric: str, value: float) -> None:
        """Tell the observer, if there is one."""
        if self.observer is not None:
            self.observer.record(metric, value)

    # Opening.

    def _wanted(self) -> int:
        if self.is_closed:
            return 0
        there = len(self.slots) + self.opener.opening
        room = self.size + self.config.max_overflow - there - len(self.closer)
        return min(room, max(len(self.line) - self.opener.opening, min(self.config.floor, self.size) - there))

    def _opened(self, slot: Slot) -> None:
        self.slots.add(slot)
        self.totals.opened += 1
        self.give(slot)

    def _not_opened(self, error: Exception) -> None:
        self.totals.failed += 1
        final = isinstance(error, _FINAL_FAILURES) or not self.opener.has_connected
        if final and not self.slots:
            for waiter in self.line.everybody():
                self._fail(waiter, copy.copy(error), error)

    # Waiting.

    def _hand_over(self, slot: Slot, waiter: _Waiter, now: float) -> None:
        waited_s = now - waiter.since
        self.waits.add(waited_s)
        self.observe(status.WAIT_TIME, waited_s)
        self.totals.checkouts += 1
        waiter.lease.begin(slot.watched, now)
        slot.lease = waiter.lease
        waiter.future.set_result(slot)

    def _withdraw(self, waiter: _Waiter) -> None:
        self.line.leave(waiter)
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            slot = future.result()
            slot.lease = None
            self.give(slot)

    def _set_alarm(self, now: float) -> None:
        if self._alarm is None and (due := self.line.due_at(now, self.config.checkout_timeout_s)) is not None:
            self._alarm = asyncio.get_running_loop().call_later(max(due - now, 0.0), self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        now = time.monotonic()
        self._time_out(self.line.timed_out(now, self.config.checkout_timeout_s))
        self._shed(self.line.shed(now))
        self._set_alarm(now)

    def _time_out(self, waiters: list[_Waiter]) -> None:
        for waiter in waiters:
            self.totals.timed_out += 1
            self.observe(status.TIMEOUTS, 1)
            self._fail(waiter, PoolTimeout(self._exhausted(time.monotonic() - waiter.since)), self.opener.last_failure)

    def _shed(self, waiters: list[_Waiter]) -> None:
        self.totals.shed += len(waiters)
        for waiter in waiters:
            self._fail(waiter, self._overload(waiter.since))

    def _fail(self, waiter: _Waiter, error: Exception, cause: Exception | None = None) -> None:
        if not waiter.future.done():
            error.__cause__ = cause
            waiter.future.set_exception(error)

    def _note_hold(self, lease: Lease, held_s: float) -> None:
        self.line.held(held_s)
        self.holds.add(held_s)
        self.observe(status.USE_TIME, held_s)
        if lease.reported:
            status.logger.warning("a connection that was held for long came back: %s", lease)

    def _exhausted(self, waited_s: float) -> str:
        failure = self.opener.last_failure
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
            self._retry_after_s = self.line.retry_after_s(self.size)
            self._words = (
                f"the pool is overloaded: {self._who()} "
                f"Try again in {self._retry_after_s:.2f} s, serve fewer requests at once, or raise PoolConfig.size."
            )
        return PoolOverloaded(self._words, self._retry_after_s)

    def _who(self) -> str:
        leases = self.leases()
        holders = "; ".join(map(str, leases[:_HOLDERS_NAMED])) or "nobody on record"
        most = self.size + self.config.max_overflow
        # Whoever is told of it has just left the line.
        return f"{len(leases)} of {most} are out, {len(self.line) + 1} wait. Longest held: {holders}."

    def _check_place(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise PoolMisused(self._misuse()) from error
        if self._loop is None:
            self._loop, self._process = loop, os.getpid()
        if loop is not self._loop:
            raise PoolMisused(self._misuse())
        if self.is_closed:
            raise PoolClosed("the database is closed: open it again, or keep it open for as long as it is used.")

    def _misuse(self) -> str:
        where = "after a fork" if os.getpid() != self._process else "from another event loop or thread"
        return (
            f"this Database was opened elsewhere and is used {where}: its sockets belong to the loop that opened it. "
            "Make one Database for each process and loop, or call it through dal.blocking."
        )
