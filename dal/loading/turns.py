"""One lazy load at a time in each session: the tasks of a `gather` wait for each other, and find it done.

Only in SQLAlchemy's greenlet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy.orm import Session
from sqlalchemy.util.concurrency import await_

_INFO: Final = "dal_lazy_turn"


class _Turn:
    __slots__ = ("lock", "task")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.task: asyncio.Task[Any] | None = None


@contextmanager
def turn(session: Session) -> Generator[None]:
    """Wait for the turn, and have it; a listener that loads something in the middle of a load has it already."""
    held: _Turn = session.info.setdefault(_INFO, _Turn())
    task = asyncio.current_task()
    if held.task is task:
        yield
        return
    await_(held.lock.acquire())
    held.task = task
    try:
        yield
    finally:
        held.task = None
        held.lock.release()
