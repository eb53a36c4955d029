"""The background work of a pool: asyncio itself keeps no hold on a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """Tasks that nobody awaits one by one."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, None], ended: Callable[[], None] | None = None) -> None:
        """Run *work*, then call *ended*; whatever it raises is its own to handle."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if ended is not None:
            # Also after a task that was cancelled before it began, of which its own code hears nothing.
            task.add_done_callback(lambda _: ended())

    def cancel(self) -> None:
        """Cancel all."""
        for task in list(self._running):
            task.cancel()

    async def done(self) -> None:
        """Wait until none is left, those included that begin meanwhile."""
        while self._running:
            await asyncio.wait(self._running)
