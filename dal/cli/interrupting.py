"""Ctrl-C: the first one cancels what runs, so that it is rolled back; a second one leaves at once.

A read of the standard input would go on waiting for its writer: it is woken.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections.abc import Coroutine
from io import RawIOBase
from types import FrameType
from typing import Any, Self, TypeVar

INTERRUPTED = 130

T = TypeVar("T")


class Interruption:
    """Listens for SIGINT while it is entered. For the main thread."""

    def __init__(self) -> None:
        self.is_asked = False
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        self.wake, self._waker = os.pipe()
        self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        os.close(self._waker)
        os.close(self.wake)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* in a loop of its own; raises `asyncio.CancelledError` if it was cancelled by a signal."""

        async def watched() -> T:
            self._task = asyncio.current_task()
            if self.is_asked:
                raise asyncio.CancelledError
            return await work

        try:
            return asyncio.run(watched())
        finally:
            self._task = None
            work.close()

    def _heard(self, _: int, __: FrameType | None) -> None:
        if self.is_asked:
            self._leave()
        self.is_asked = True
        os.write(self._waker, b"!")
        if self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def _leave(self) -> None:
        if sys.stderr.isatty():
            os.write(2, b"\x1b[?25h")  # the cursor, which a progress bar hides
        os.write(2, b"dal: interrupted again: left at once, and the server rolls back what was not committed.\n")
        os._exit(INTERRUPTED)


class StandardInput(RawIOBase):
    """The bytes of the standard input; a read of them ends with an `OSError` when *interruption* hears a signal."""

    name = "the standard input"

    def __init__(self, interruption: Interruption) -> None:
        self._wake = interruption.wake

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for bytes, or for the signal."""
        ready, _, _ = select.select([sys.stdin.fileno(), self._wake], [], [])
        if self._wake in ready:
            raise InterruptedError("interrupted")
        return os.readv(sys.stdin.fileno(), [buffer])
