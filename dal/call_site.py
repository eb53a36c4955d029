"""Which line of the application called: the innermost outside dal, what it stands on, and the standard library.

Refuses: formatting a stack; walking one costs some 4 us, formatting it ten times as much.
"""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import alembic
import asyncpg
import greenlet
import sqlalchemy

_DAL: Final = str(Path(__file__).parent)
# The demo and the test kit use dal as an application does, so their lines are worth naming.
_APPLICATIONS: Final = (f"{_DAL}/demo/", f"{_DAL}/testing/")
_INSIDE: Final = (f"{_DAL}/", *(package.__path__[0] for package in (sqlalchemy, asyncpg, alembic, asyncio)))
_STANDARD_LIBRARY: Final = str(Path(asyncio.__file__).parent.parent)
# For a task of dal's own that works for the application's.
_on_behalf_of: Final[ContextVar[tuple[CodeType | None, int] | None]] = ContextVar("dal_on_behalf_of", default=None)


@dataclass(frozen=True, slots=True)
class CallSite:
    """A line of code."""

    file: str
    line: int
    function: str

    @classmethod
    def here(cls) -> CallSite:
        """Name the application's innermost line."""
        return cls.at(*application_line())

    @classmethod
    def at(cls, code: CodeType | None, line: int) -> CallSite:
        """Name a *line* of *code*, as `application_line` gives them."""
        return cls("?", 0, "?") if code is None else cls(code.co_filename, line, code.co_name)

    @classmethod
    def of(cls, task: asyncio.Task[Any]) -> CallSite:
        """Name the application's innermost line that *task*, another one, waits at."""
        found: tuple[CodeType | None, int] = (None, 0)
        awaited: Any = task.get_coro()
        while awaited is not None:
            frame = getattr(awaited, "cr_frame", None)
            if frame is not None and _APPLICATION[frame.f_code.co_filename]:
                found = frame.f_code, frame.f_lineno
            awaited = getattr(awaited, "cr_await", None)
        return cls.at(*found)

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line} in {self.function}()"


def on_behalf_of(line: tuple[CodeType | None, int]) -> None:
    """Let *line*, as `awaiting_line` gives it, be the application's in this context."""
    _on_behalf_of.set(line)


def awaiting_line() -> tuple[CodeType | None, int]:
    """Give the code and the line that awaits, not yet in words: leases are taken often, and seldom looked at.

    In SQLAlchemy's greenlet this is the line that awaits the greenlet, for a function given to `run_sync` too: every
    frame that is looked at costs a quarter of a microsecond.
    """
    line = _on_behalf_of.get()
    if line is not None:
        return line
    parent = greenlet.getcurrent().parent
    frame = _outwards(parent.gr_frame) if parent is not None else None
    if frame is None:
        frame = _outwards(sys._getframe(1))  # noqa: SLF001 # the documented way to walk a stack without formatting it
    return (None, 0) if frame is None else (frame.f_code, frame.f_lineno)


def application_line() -> tuple[CodeType | None, int]:
    """Give the code and the line, innermost.

    Walks out of SQLAlchemy's greenlet, then outwards to the first line that is not the library's: a checkout runs in a
    greenlet whose own stack ends at SQLAlchemy; the application's frames belong to its parent.
    """
    line = _on_behalf_of.get()
    if line is not None:
        return line
    frame = _outwards(sys._getframe(1))  # noqa: SLF001 # the documented way to walk a stack without formatting it
    if frame is None:
        parent = greenlet.getcurrent().parent
        frame = _outwards(parent.gr_frame if parent else None)
    return (None, 0) if frame is None else (frame.f_code, frame.f_lineno)


def _outwards(frame: FrameType | None) -> FrameType | None:
    is_application = _APPLICATION
    while frame is not None and not is_application[frame.f_code.co_filename]:
        frame = frame.f_back
    return frame


class _ByFile(dict[str, bool]):
    """Whether a file is the application's; a dictionary, because it is asked for every frame of every stack."""

    def __missing__(self, filename: str) -> bool:
        self[filename] = is_application = _is_application(filename)
        return is_application


_APPLICATION: Final = _ByFile()


def _is_application(filename: str) -> bool:
    if filename.startswith(_APPLICATIONS):
        return True
    if filename.startswith((*_INSIDE, "<")):
        return False
    return "site-packages" in filename or not filename.startswith(_STANDARD_LIBRARY)
