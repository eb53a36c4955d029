"""Who holds a connection: the task, the line of the application that took it, and since when.

Refuses: deciding anything by it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import greenlet
import sqlalchemy

_DAL: Final = str(Path(__file__).parent.parent)
# The demo and the test kit use dal as an application does, so their lines are worth naming.
_APPLICATIONS: Final = (f"{_DAL}/demo/", f"{_DAL}/testing/")
_INSIDE: Final = (f"{_DAL}/", str(Path(sqlalchemy.__file__).parent), str(Path(asyncio.__file__).parent))
_STANDARD_LIBRARY: Final = str(Path(asyncio.__file__).parent.parent)


@dataclass(frozen=True, slots=True)
class Lease:
    """One connection that is out; `since` is on the monotonic clock."""

    task: str
    file: str
    line: int
    function: str
    since: float

    @classmethod
    def take(cls) -> Lease:
        """Name the running task and the innermost line outside dal, SQLAlchemy and the standard library."""
        frame = _application_frame()
        task = _running_task()
        if frame is None:
            return cls(task, "?", 0, "?", time.monotonic())
        return cls(task, frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, time.monotonic())

    @property
    def held_s(self) -> float:
        """How long the connection has been out, in seconds."""
        return time.monotonic() - self.since

    def __str__(self) -> str:
        return f"{self.task} at {Path(self.file).name}:{self.line} in {self.function}(), for {self.held_s:.2f} s"


def _running_task() -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return "no task"
    return f"task {task.get_name()!r}" if task else "no task"


def _application_frame() -> FrameType | None:
    """Walk out of SQLAlchemy's greenlet, then outwards to the first line that is not the library's.

    A checkout runs in a greenlet whose own stack ends at SQLAlchemy; the application's frames belong to its parent.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 # the documented way to walk a stack without formatting it
    while frame is not None and not _is_application(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is not None:
        return frame
    parent = greenlet.getcurrent().parent
    frame = parent.gr_frame if parent else None
    while frame is not None and not _is_application(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _is_application(filename: str) -> bool:
    if filename.startswith(_APPLICATIONS):
        return True
    if filename.startswith((*_INSIDE, "<")):
        return False
    return "site-packages" in filename or not filename.startswith(_STANDARD_LIBRARY)
