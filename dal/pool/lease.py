"""Who holds a connection: the task, the line of the application that took it, since when, and what for.

Refuses: deciding anything by it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final
from weakref import ref

from dal.call_site import CallSite, awaiting_line
from dal.pool.driver import Watched

_WORDS_SHOWN: Final = 80


class Lease:
    """One connection that is out; times are on the monotonic clock, in seconds.

    Taking a lease costs some 2 us, most of them for walking the stack.
    """

    __slots__ = (
        "_code",
        "_line",
        "_mark",
        "_seen",
        "_task",
        "_watched",
        "reported",
        "reported_idle",
        "since",
        "touched_at",
    )

    def __init__(self, watched: Watched | None = None, now: float = 0.0) -> None:
        self.reported = self.reported_idle = False
        self._code, self._line = awaiting_line()
        task = asyncio.current_task()
        # Not the task itself: one that nobody else knows any more goes, and gives its connection back.
        self._task = None if task is None else ref(task)
        self._watched = watched
        if watched is not None:
            self.since = self.touched_at = now
            self._mark = self._seen = watched.mark()

    def begin(self, watched: Watched, now: float) -> None:
        """Begin to hold a connection that had to be waited for."""
        self.since = self.touched_at = now
        self._watched = watched
        self._mark = self._seen = watched.mark()

    def look(self, now: float) -> None:
        """Note whether a statement was sent, or runs, since the last look: `touched_at` is as exact as looks are."""
        if self._watched is not None and (self._watched.is_busy or self._watched.mark() != self._seen):
            self.touched_at, self._seen = now, self._watched.mark()

    @property
    def call_site(self) -> CallSite:
        """The line of the application that took it."""
        return CallSite.at(self._code, self._line)

    @property
    def task(self) -> str:
        """The task that took it."""
        if self._task is None:
            return "no task"
        task = self._task()
        return "a task that is gone" if task is None else f"task {task.get_name()!r}"

    @property
    def held_s(self) -> float:
        """How long the connection has been out, in seconds."""
        return time.monotonic() - self.since

    @property
    def running(self) -> bool:
        """Whether a statement runs."""
        return self._watched is not None and self._watched.is_busy

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, as the server last said."""
        return self._watched is not None and self._watched.is_in_transaction

    @property
    def statement(self) -> str | None:
        """The text of the last statement that was prepared and sent, without its values."""
        return None if self._watched is None else self._watched.statement_since(self._mark)

    def __str__(self) -> str:
        words = f"{self.task} at {self.call_site}, for {self.held_s:.2f} s"
        statement = self.statement
        if statement is None:
            return words
        text = " ".join(statement.split())
        shown = text if len(text) <= _WORDS_SHOWN else f"{text[:_WORDS_SHOWN]}..."
        doing = "running" if self.running else "idle in a transaction after" if self.in_transaction else "after"
        return f"{words}, {doing} {shown!r}"
