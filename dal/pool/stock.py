"""The connections of a pool: which are idle, who has the others, and who gets the next one.

A connection that comes back belongs to the one whose turn it is: it is handed over, never left for a newcomer to take.
So whoever finds one idle may have it at once, without a greenlet and without a turn of the loop.

Refuses: knowing SQLAlchemy; opening and closing are given to it.
"""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg

from dal.errors import InvalidAuthorization, InvalidCatalogName, PoolClosed
from dal.observer import Observer
from dal.pool.closing import Closer
from dal.pool.forked import part_at_fork
from dal.pool.lease import Lease
from dal.pool.ledger import Ledger
from dal.pool.opening import Opener
from dal.pool.place import Place
from dal.pool.recycling import Recycler
from dal.pool.slot import Slot
from dal.pool.status import PoolStatus
from dal.pool.waiting import Line
from dal.pool_config import PoolConfig
from dal.telemetry import waited

_HOLDERS_NAMED: Final = 3
# How often a drain looks whether all have come back.
_LOOK_S: Final = 0.01
# Trying again would not help: somebody has to change the password or create the database.
_FINAL_FAILURES: Final = (InvalidAuthorization, InvalidCatalogName)


class Stock:
    """All connections of one pool, in one event loop: the one that it is first used in.

    *connect* opens a connection; *closing* hears of each that will be closed. Whoever takes one gives it back by `put`.
    """

    def __init__(
        self,
        config: PoolConfig,
        connect: Callable[[], Awaitable[Slot]],
        *,
        closing: Callable[[Slot], None],
        observer: Observer | None = None,
    ) -> None:
        self._closing = closing
        self.config = config
        self.size = config.size
        self.slots: set[Slot] = set()
        self.idle: list[Slot] = []
        self.is_closed = False
        self.ledger = Ledger(observer)
        self.totals = self.ledger.totals
        self.line = Line(config, self.ledger, who=self._who, cause=lambda: self.opener.last_failure)
        self.opener = Opener(connect, wanted=self._wanted, opened=self._opened, failed=self._not_opened)
        self.closer = Closer(self.opener.grow)
        self.recycler = Recycler(config.recycling, self.give, self.drop)
        self._place = Place()
        part_at_fork(self)

    @property
    def floor(self) -> int:
        """How many connections stay open: all of them where no `min_idle` is set, also after a `resize`."""
        return self.size if self.config.min_idle is None else min(self.config.min_idle, self.size)

    # Checking out.

    def take(self, *, priority: bool = False) -> Slot | None:
        """Lease the connection that came back last; None if one has to be waited for, which `wait` does.

        Raises `PoolOverloaded` if there is no room for another one who waits, unless it has *priority*.
        """
        self._place.check()
        now = time.monotonic()
        while self.idle:
            slot = self.idle.pop()
            if slot.watched.is_open() and now < slot.expires_at:
                self.totals.checkouts += 1
                slot.lease = Lease(slot.watched, now)
                return slot
            self._discard(slot)
        self._check_open()
        if not priority:
            self.line.check_room(now, self._most() - len(self.slots))
        return None

    async def wait(self, *, priority: bool = False) -> Slot:
        """Lease the next connection that comes back or is opened, when it is this task's turn.

        After `take` only. Raises `PoolOverloaded` or `PoolTimeout`. A waiter with *priority* goes first and is never
        shed. If the task is cancelled in the moment of its turn, the connection goes to the next one.
        """
        started = time.monotonic()
        waiter = self.line.join(priority=priority)
        self.opener.grow()
        slot = await self.line.wait(waiter, self.give)
        waited(time.monotonic() - started)
        return slot

    # Checking in.

    def put(self, slot: Slot) -> None:
        """Take back a connection that was leased: it goes to whose turn it is, or is made fit first, or goes."""
        if not self._place.is_here():
            self._place.call(self.put, slot)
            return
        now = time.monotonic()
        if slot.lease is not None:
            self._end_lease(slot.lease, now)
            slot.lease = None
        slot.watched.forget_opening()
        if self.is_closed:
            self.drop(slot)
        elif not slot.watched.is_open() or slot.expires_at <= now:
            self._discard(slot)
        elif self.recycler.is_clean(slot):
            self._give(slot, now)
        elif self.recycler.can_mend(slot):
            self.recycler.start(slot)
        else:
            self.totals.unclean += 1
            self.drop(slot)

    def give(self, slot: Slot) -> None:
        """Hand a connection that is fit to whose turn it is; without one it is idle, or goes if there are too many."""
        slot.lease = None
        self._give(slot, time.monotonic())

    def _give(self, slot: Slot, now: float) -> None:
        if len(self.slots) > self._most():  # after a resize
            self.drop(slot)
            return
        if self.line.hand_over(slot, now):
            return
        if self.is_closed or len(self.slots) > self.size:
            self.drop(slot)
        else:
            slot.idle_since = slot.checked_at = now
            self.idle.append(slot)

    def _discard(self, slot: Slot) -> None:
        """Close one that is dead, which the loop has heard of without a round trip, or past its lifetime."""
        if slot.watched.is_open():
            self.totals.expired += 1
            self.drop(slot)
        else:
            self.totals.lost += 1
            self.drop(slot)
            self.suspect()

    def drop(self, slot: Slot) -> None:
        """Close a connection, in the background, and open another one if it is missed."""
        if slot not in self.slots:
            return
        self._forget(slot)
        self._closing(slot)
        self.close_driver(slot.driver)
        if not self.is_closed:
            self.opener.grow()

    def close_driver(self, driver: asyncpg.Connection) -> None:
        """Close *driver* in the background, in its own loop; where that does not run it is cut off without a word."""
        if self._place.is_at_work_elsewhere():
            self._place.call(self.closer.close, driver)
        else:
            self.closer.close(driver, in_its_loop=self._place.is_here())

    def lose(self, slot: Slot) -> None:
        """Take note that a connection which was leased does not come back: it broke, or whoever had it keeps it."""
        if slot.lease is not None:
            self._end_lease(slot.lease, time.monotonic())
        self.totals.lost += not slot.watched.is_open()
        self._forget(slot)
        self._place.call(self.opener.grow)  # by whomever it was lost: the garbage collector runs anywhere

    def abandon(self, slot: Slot) -> None:
        """Close a connection whose `async with` was never left, and is gone: nobody can give it back any more."""
        self._place.call(self._abandon, slot)

    def _abandon(self, slot: Slot) -> None:
        if slot.lease is not None:
            self.ledger.abandoned(slot.lease)
            self._end_lease(slot.lease, time.monotonic())
        slot.driver.terminate()  # whoever kept it must not speak on it
        self.drop(slot)

    def _forget(self, slot: Slot) -> None:
        slot.lease = None
        if slot in self.slots:
            self.slots.remove(slot)
            self.totals.closed += 1

    # The whole.

    async def open(self) -> None:
        """Open the floor; raises what the first connect fails of."""
        self._place.check()
        self._check_open()
        if not self.slots:
            await self.opener.open_one()
        self.opener.grow()
        await self.opener.done()
        if len(self.slots) < self.floor and self.opener.last_failure is not None:
            raise self.opener.last_failure

    def resize(self, size: int) -> None:
        """Hold *size* connections from now on; those that are out and too many go when they come back."""
        self._place.check()
        PoolConfig(size=size)  # refuses what is no size
        self.size = size
        self.line.resize(size)
        while self.idle and len(self.slots) > size:
            self.drop(self.idle.pop(0))
        self.opener.grow()

    def suspect(self) -> None:
        """Ask all idle connections for a sign of life: another one was found dead."""
        while self.idle:
            self.ping(self.idle[-1])

    def ping(self, slot: Slot) -> None:
        """Ask an idle connection for a sign of life; nobody gets it meanwhile, and it has been idle all the time."""
        self.idle.remove(slot)
        self.recycler.ping(slot, self._answered)

    def expire(self, spread_s: float) -> None:
        """Replace every connection, spread by chance over *spread_s*; one that is out goes when it comes back."""
        now = time.monotonic()
        for slot in self.slots:
            by_chance = now + spread_s * random.random()  # noqa: S311 # spreads load, guards nothing
            slot.expires_at = min(slot.expires_at, by_chance)

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
            slot.follow()
            slot.driver.terminate()
        await self.close()
        return len(left)

    def stop(self) -> None:
        """Give out nothing any more, and begin to close what is idle; raises `PoolMisused` in another thread."""
        if self._place.is_at_work_elsewhere():
            self._place.check()
        if self._place.is_left_behind:
            return
        self.is_closed = True
        self.opener.stop()
        self.recycler.stop()
        self.line.stop()
        self.line.fail(PoolClosed("the pool was closed while this task waited for a connection."))
        self.idle.clear()
        for slot in [slot for slot in self.slots if slot.lease is None]:
            self.drop(slot)

    def leave_behind(self) -> None:
        """Be closed and empty in a process that was forked off."""
        if self._place.loop is not None:
            self.is_closed = True
            self.idle.clear()
            self.slots.clear()

    def leases(self) -> list[Lease]:
        """List the connections that are out, longest held first."""
        slots = list(self.slots)  # at once: another thread may look, while this one goes on
        for slot in slots:
            slot.follow()
        leases = [lease for slot in slots if (lease := slot.lease)]
        return sorted(leases, key=lambda lease: lease.since)

    def status(self) -> PoolStatus:
        """Say how things are at this moment."""
        return PoolStatus(
            size=self.size,
            idle=len(self.idle),
            checked_out=sum(slot.lease is not None for slot in list(self.slots)),
            waiting=len(self.line),
            opening=self.opener.opening,
            closing=len(self.closer),
            recycling=len(self.recycler),
            overloaded=self.line.is_overloaded,
            totals=copy.copy(self.totals),
            waits=self.ledger.waits,
            holds=self.ledger.holds,
        )

    def _answered(self, slot: Slot) -> None:
        idle_since = slot.idle_since
        self.give(slot)
        if self.idle and self.idle[-1] is slot:
            slot.idle_since = idle_since
            self.idle.sort(key=lambda each: each.idle_since)

    # Opening.

    def _wanted(self) -> int:
        if self.is_closed:
            return 0
        there = len(self.slots) + self.opener.opening
        room = self._most() - there - len(self.closer)
        return min(room, max(len(self.line) - self.opener.opening, self.floor - there))

    def _most(self) -> int:
        return self.size + self.config.max_overflow

    def _opened(self, slot: Slot) -> None:
        self.slots.add(slot)
        self.totals.opened += 1
        self.give(slot)

    def _not_opened(self, error: Exception) -> None:
        self.totals.failed += 1
        final = isinstance(error, _FINAL_FAILURES) or not self.opener.has_connected
        if final and not self.slots:
            self.line.fail(error)

    def _end_lease(self, lease: Lease, now: float) -> None:
        held_s = now - lease.since
        self.line.held(held_s)
        self.ledger.used(lease, held_s)

    def _who(self) -> str:
        leases = self.leases()
        holders = "; ".join(map(str, leases[:_HOLDERS_NAMED])) or "nobody on record"
        return f"{len(leases)} of {self._most()} are out, {len(self.line) + 1} wait. Longest held: {holders}."

    def _check_open(self) -> None:
        if self.is_closed:
            raise PoolClosed("the database is closed: open it again, or keep it open for as long as it is used.")
