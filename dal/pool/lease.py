"""Who holds a connection: the task, the line of the application that took it, since when, and what for.

Refuses: deciding anything by it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import asyncpg

from dal.call_site import CallSite

_WORDS_SHOWN: Final = 80


class Lease:
    """One connection that is out; times are on the monotonic clock, in seconds.

    `statement` is the text of the last one that SQLAlchemy sent in this lease, without its values. Taking a lease costs
    some 2 us, which are for walking the stack.
    """

    __slots__ = ("_task", "call_site", "driver", "reported", "running", "since", "statement", "touched_at")

    def __init__(self, since: float) -> None:
        self.since = since
        self.touched_at = since
        self.call_site = CallSite.here()
        self.driver: asyncpg.Connection | None = None
        self.statement: str | None = None
        self.running = False
        self.reported = False
        self._task = _running_task()

    @property
    def task(self) -> str:
        """The task that took it."""
        return f"task {self._task.get_name()!r}" if self._task else "no task"

    @property
    def held_s(self) -> float:
        """How long the connection has been out, in seconds."""
        return time.monotonic() - self.since

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, as the server last said."""
        return self.driver is not None and not self.driver.is_closed() and self.driver.is_in_transaction()

    def begins(self, statement: str) -> None:
        """Note that *statement* is being sent."""
        self.statement, self.running = statement, True

    def ends(self) -> None:
        """Note that it was answered."""
        self.running, self.touched_at = False, time.monotonic()

    def __str__(self) -> str:
        words = f"{self.task} at {self.call_site}, for {self.held_s:.2f} s"
        if self.statement is None:
            return words
        text = " ".join(self.statement.split())
        shown = text if len(text) <= _WORDS_SHOWN else f"{text[:_WORDS_SHOWN]}..."
        doing = "running" if self.running else "idle in a transaction after" if self.in_transaction else "after"
        return f"{words}, {doing} {shown!r}"


def _running_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
