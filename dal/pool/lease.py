"""Who holds a connection: the task, the line of the application that took it, and since when.

Refuses: deciding anything by it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from dal.call_site import CallSite


@dataclass(frozen=True, slots=True)
class Lease:
    """One connection that is out; `since` is on the monotonic clock."""

    task: str
    call_site: CallSite
    since: float

    @classmethod
    def take(cls) -> Lease:
        """Name the running task and its line."""
        return cls(_running_task(), CallSite.here(), time.monotonic())

    @property
    def held_s(self) -> float:
        """How long the connection has been out, in seconds."""
        return time.monotonic() - self.since

    def __str__(self) -> str:
        return f"{self.task} at {self.call_site}, for {self.held_s:.2f} s"


def _running_task() -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return "no task"
    return f"task {task.get_name()!r}" if task else "no task"
