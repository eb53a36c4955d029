"""Hears each statement when Alembic renders it, while the line that asked for it is still on the stack.

It stands where Alembic writes its script. Refuses: judging, and knowing what SQL is.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from dal.migrations.lint.finding import Place, Statement

# Alembic's own BEGIN and COMMIT; whoever executes such a word is found.
_TRANSACTION: Final = {"emit_begin": True, "emit_commit": False}
_OPERATIONS_OF_DAL: Final = "dal.migrations.operations"


class Recording(io.StringIO):
    """The statements of every revision that was rendered, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[Statement] = []
        self._at: Place | None = None
        self._block = 0
        self._in_transaction = False

    def begin(self, revision: str, file: Path) -> None:
        """Hear what follows as this revision's."""
        self._at = Place(revision, file, 1)
        self._block += 1

    def end(self) -> None:
        """Hear nothing until the next revision: what Alembic writes of itself."""
        self._at = None

    def write(self, text: str, /) -> int:
        """Hear what Alembic gives out: a statement, or where a transaction begins or ends."""
        frames = list(_callers(sys._getframe(1)))  # noqa: SLF001 # the only way to the line that asks
        turned = next((_TRANSACTION[name] for name in map(_name, frames[:2]) if name in _TRANSACTION), None)
        if turned is not None:
            self._in_transaction = turned
            self._block += 1
        elif self._at is not None:
            self._hear(text.strip(), self._at, frames)
        return len(text)

    def _hear(self, sql: str, at: Place, frames: list[FrameType]) -> None:
        line = line_in(at.file, frames)
        place = Place(at.revision, at.file, line)
        by_dal = any(frame.f_globals.get("__name__", "").startswith(_OPERATIONS_OF_DAL) for frame in frames)
        self.statements.append(Statement(place, sql, self._block, self._in_transaction, by_dal))


def line_in(file: Path, frames: list[FrameType]) -> int:
    """Give the innermost line of *file* in *frames*, which are innermost first; 1 where it is in none."""
    return next((frame.f_lineno for frame in frames if Path(frame.f_code.co_filename) == file), 1)


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _name(frame: FrameType) -> str:
    return frame.f_code.co_name
