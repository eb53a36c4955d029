"""One task at a time: whoever comes in between hears at once who is there, and where both are.

Refuses: waiting. Two tasks in one transaction would each commit, and roll back, what the other has done.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from dal.call_site import CallSite
from dal.errors import UnitOfWorkError


class Turn:
    """Held by a task for the length of an `async with`; it may hold it several times over."""

    __slots__ = ("_depth", "_name", "_task")

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[Any] | None = None
        self._depth = 0

    async def __aenter__(self) -> None:
        intrusion = self.intrusion("is used")
        if intrusion is not None:
            raise intrusion
        self._task = asyncio.current_task()
        self._depth += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1

    def intrusion(self, what: str) -> UnitOfWorkError | None:
        """Give the error of doing *what* while another task holds it; None if none does."""
        if not self._depth or self._task is None or self._task is asyncio.current_task():
            return None
        return UnitOfWorkError(
            f"this {self._name} {what} at {CallSite.here()} while another task is at {CallSite.of(self._task)}: a unit "
            "of work is for one task at a time. Give each a unit of work of its own."
        )
