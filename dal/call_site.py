"""Which line of the application called: the innermost outside dal, SQLAlchemy, Alembic and the standard library.

Refuses: formatting a stack; walking one costs some 4 us, formatting it ten times as much.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final

import alembic
import greenlet
import sqlalchemy

_DAL: Final = str(Path(__file__).parent)
# The demo and the test kit use dal as an application does, so their lines are worth naming.
_APPLICATIONS: Final = (f"{_DAL}/demo/", f"{_DAL}/testing/")
_INSIDE: Final = (f"{_DAL}/", *(package.__path__[0] for package in (sqlalchemy, alembic, asyncio)))
_STANDARD_LIBRARY: Final = str(Path(asyncio.__file__).parent.parent)


@dataclass(frozen=True, slots=True)
class CallSite:
    """A line of code."""

    file: str
    line: int
    function: str

    @classmethod
    def here(cls) -> CallSite:
        """Name the application's innermost line."""
        frame = _application_frame()
        if frame is None:
            return cls("?", 0, "?")
        return cls(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line} in {self.function}()"


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


@cache
def _is_application(filename: str) -> bool:
    if filename.startswith(_APPLICATIONS):
        return True
    if filename.startswith((*_INSIDE, "<")):
        return False
    return "site-packages" in filename or not filename.startswith(_STANDARD_LIBRARY)
