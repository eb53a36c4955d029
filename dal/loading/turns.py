"""One lazy load at a time in each session: the tasks of a `gather` wait for each other, and find it done.

Only in SQLAlchemy's greenlet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sqlalchemy.orm import Session
from sqlalchemy.util.concurrency import await_

_INFO: Final = "dal_lazy_turn"


# Those that this task has, or the task that started it while it had them: a listener may await tasks of its own.
_own: Final[ContextVar[frozenset[object]]] = ContextVar("dal_lazy_turns", default=frozenset())


class _Turns:
    __slots__ = ("current", "lock")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.current: object | None = None


@contextmanager
def turn(session: Session) -> Generator[None]:
    """Wait for the turn, and have it; a listener that loads something in the middle of a load has it already."""
    turns: _Turns = session.info.setdefault(_INFO, _Turns())
    if turns.current in _own.get():
        yield
        return
    await_(turns.lock.acquire())
    turns.current = object()
    before = _own.set(_own.get() | {turns.current})
    try:
        yield
    finally:
        _own.reset(before)
        turns.current = None
        turns.lock.release()
