"""Where a pool may be used: in the one event loop of the one process that it was first used in.

A socket belongs to its loop. Used from another one it would hang; after a fork, two processes would speak on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from typing import Any

from dal.errors import PoolMisused
from dal.pool.forked import part_at_fork


class Place:
    """The first loop that `check` is called in, and no other."""

    __slots__ = ("__weakref__", "_thread", "is_left_behind", "loop")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.is_left_behind = False  # in the process that this one was forked off
        self._thread = 0

    def check(self) -> None:
        """Raise `PoolMisused` elsewhere."""
        if not self.is_here():
            self._take()

    def is_here(self) -> bool:
        """Tell whether this is that loop; half of what `get_running_loop` takes, which asks the system."""
        return get_ident() == self._thread and self.loop is not None and self.loop.is_running()

    def is_at_work_elsewhere(self) -> bool:
        """Tell whether that loop runs, in another thread."""
        return not (self.is_here() or self.is_left_behind) and self.loop is not None and self.loop.is_running()

    def call(self, work: Callable[..., object], *arguments: Any) -> None:
        """Have *work* called in that loop, from anywhere; never where the loop is closed, or left behind."""
        if self.loop is not None and not self.is_left_behind:
            with suppress(RuntimeError):  # it is closed
                self.loop.call_soon_threadsafe(work, *arguments)

    def leave_behind(self) -> None:
        """Be nowhere in this process, also where the loop is run that it has inherited."""
        self.is_left_behind, self._thread = True, 0

    def _take(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise PoolMisused(self._misuse()) from error
        if self.is_left_behind or self.loop not in {None, loop}:
            raise PoolMisused(self._misuse())
        self.loop, self._thread = loop, get_ident()
        part_at_fork(self)

    def _misuse(self) -> str:
        if self.loop is None:
            return "a Database needs a running event loop: synchronous code calls it through dal.blocking."
        where = "after a fork" if self.is_left_behind else "from another event loop or thread"
        return (
            f"this Database was opened elsewhere and is used {where}: its sockets belong to the loop that opened it. "
            "Make one Database for each process and loop, or call it through dal.blocking."
        )
