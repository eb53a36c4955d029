"""A thread that does one job while the next is gathered.

Refuses: more than one job ahead, so that whoever gives too fast has to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self


class Beside:
    """`async with Beside() as thread:` ends when its last job has, however often the task is cancelled."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dal-copy")
        self._job: Future[Any] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await _settled(self._job)
        finally:
            self._thread.shutdown()

    async def begin(self, job: Callable[[], Any]) -> None:
        """Wait for the job before, and begin *job*; raises what the one before has failed of."""
        await self.last()
        self._job = self._thread.submit(job)

    async def last(self) -> Any:
        """Wait for the last job, and give its result."""
        if self._job is None:
            return None
        result = await asyncio.wrap_future(self._job)
        self._job = None
        return result


class Here:
    """Does the jobs in the event loop, for those that keep Python's lock all the time."""

    def __init__(self) -> None:
        self._result: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._result = None

    async def begin(self, job: Callable[[], Any]) -> None:
        """Do *job*, after the tasks that wait."""
        await asyncio.sleep(0)
        self._result = job()

    async def last(self) -> Any:
        """Give the last job's result."""
        result, self._result = self._result, None
        return result


async def _settled(job: Future[Any] | None) -> None:
    """Wait for the end of *job*: what it writes to must not be closed under it."""
    if job is None:
        return
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    job.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    cancelled = None
    while not done.is_set():
        try:
            await done.wait()
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
