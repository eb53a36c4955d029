"""Work that is finished whatever becomes of the task that waits for it, though not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finished(
    work: Coroutine[Any, Any, T], *, give_up: Callable[[], None], patience_s: float, limit_s: float | None = None
) -> T:
    """Run *work* to its end, also if this task is cancelled: the cancellation goes on afterwards.

    *give_up*, which must bring *work* to an end, is called *patience_s* after a cancellation, or after *limit_s*.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    alarms = [] if limit_s is None else [loop.call_later(limit_s, give_up)]
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            if cancelled is None:
                cancelled = error
                alarms.append(loop.call_later(patience_s, give_up))
    for alarm in alarms:
        alarm.cancel()
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()
