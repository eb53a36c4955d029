"""Connections are opened in the background, for whoever comes first.

A few at a time, and ever more slowly while the server is away.

Refuses: knowing who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from dal.backoff import backoff_s
from dal.pool.slot import Slot
from dal.pool.tasks import Tasks

# A handshake costs the server a process and a password's hash: after a restart all services come at once.
_AT_A_TIME: Final = 4


class Opener:
    """Opens as many as *wanted* says; *opened* hears of each, *failed* of each failure."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Slot]],
        *,
        wanted: Callable[[], int],
        opened: Callable[[Slot], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.failures = 0
        self.last_failure: Exception | None = None
        self.has_connected = False
        self._connect, self._wanted, self._opened, self._failed = connect, wanted, opened, failed
        self._tasks = Tasks()
        self._under_way: set[object] = set()
        self._retry: asyncio.TimerHandle | None = None

    @property
    def opening(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def grow(self) -> None:
        """Begin to open what is wanted and not yet under way."""
        if self._retry is not None:
            return
        at_a_time = 1 if self.failures else _AT_A_TIME
        for _ in range(min(self._wanted(), at_a_time - self.opening)):
            one = object()
            self._under_way.add(one)
            self._tasks.start(self._open(one), partial(self._ended, one))

    async def open_one(self) -> None:
        """Open one now; raises what it fails of."""
        one = object()
        self._under_way.add(one)
        await self._try(one)

    def stop(self) -> None:
        """Open no more; what is under way is given up."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._tasks.cancel()

    async def done(self) -> None:
        """Wait until nothing is under way."""
        await self._tasks.done()

    async def _open(self, one: object) -> None:
        try:
            await self._try(one)
        except Exception as error:  # whatever it is, those who wait are told of it
            self._failed(error)

    async def _try(self, one: object) -> None:
        try:
            slot = await self._connect()
        except Exception as error:
            self._note_failure(error)
            raise
        finally:
            self._under_way.discard(one)
        self.failures, self.last_failure, self.has_connected = 0, None, True
        self._opened(slot)

    def _note_failure(self, error: Exception) -> None:
        self.failures += 1
        self.last_failure = error
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(backoff_s(self.failures), self._try_again)

    def _ended(self, one: object) -> None:
        self._under_way.discard(one)  # of a task that was cancelled before it began
        self.grow()

    def _try_again(self) -> None:
        self._retry = None
        self.grow()
