"""Where a pool may be used: in the one event loop of the one process that it was first used in.

A socket belongs to its loop. Used from another one it would hang; after a fork, two processes would speak on it.
"""

from __future__ import annotations

import asyncio
import os

from dal.errors import PoolMisused


class Place:
    """The first loop that `check` is called in, and no other."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def check(self) -> None:
        """Raise `PoolMisused` elsewhere."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise PoolMisused(self._misuse()) from error
        if self.loop is None:
            self.loop, self._process = loop, os.getpid()
        elif loop is not self.loop:
            raise PoolMisused(self._misuse())

    def is_here(self) -> bool:
        """Tell whether this is that loop."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def _misuse(self) -> str:
        if self.loop is None:
            return "a Database needs a running event loop: synchronous code calls it through dal.blocking."
        where = "after a fork" if self._process != os.getpid() else "from another event loop or thread"
        return (
            f"this Database was opened elsewhere and is used {where}: its sockets belong to the loop that opened it. "
            "Make one Database for each process and loop, or call it through dal.blocking."
        )
