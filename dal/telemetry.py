"""What is sent to the server, by whom, how long it took and how many rows it gave.

Costs nothing while no log is kept. Refuses: bound values, which never get into a log.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from dal.call_site import CallSite

_KEY: Final = "dal_statement"
_SAVEPOINTS: Final = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")
_logs: Final[list[StatementLog]] = []


@dataclass(slots=True)
class Statement:
    """One statement; `elapsed_s` is None while it runs, `rows` is None where the server names no number."""

    text: str
    call_site: CallSite = field(default_factory=CallSite.here)
    elapsed_s: float | None = None
    rows: int | None = None
    error: str | None = None
    _started: float = field(default_factory=time.monotonic, repr=False)

    def ended(self, *, rows: int | None = None, error: BaseException | None = None) -> None:
        """Note the end, once."""
        if self.elapsed_s is None:
            self.elapsed_s = time.monotonic() - self._started
            self.rows, self.error = rows, type(error).__name__ if error else None

    def __str__(self) -> str:
        text = " ".join(self.text.split())
        if self.elapsed_s is None:
            return f"   running          {self.call_site}: {text}"
        outcome = self.error or ("" if self.rows is None else f"{self.rows} rows")
        return f"{self.elapsed_s * 1000:7.2f} ms {outcome:>9} {self.call_site}: {text}"


class StatementLog:
    """Every statement that this process sends through SQLAlchemy or dal inside `with StatementLog() as log:`.

    In the order of their beginnings, from all tasks, threads and engines. BEGIN, COMMIT, ROLLBACK and savepoints are no
    statements here.
    """

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    def __enter__(self) -> Self:
        if not _logs:
            for name, listener in _LISTENERS.items():
                event.listen(Engine, name, listener)
        _logs.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _logs.remove(self)
        if not _logs:
            for name, listener in _LISTENERS.items():
                event.remove(Engine, name, listener)

    def __len__(self) -> int:
        return len(self.statements)

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.statements)

    def __str__(self) -> str:
        return "\n".join(map(str, self.statements)) or "no statements"


def is_logging() -> bool:
    """Tell whether a log is kept, so that dal itself listens to every engine."""
    return bool(_logs)


@contextmanager
def statement_sent(text: str) -> Generator[Statement | None]:
    """Note a statement that goes to the driver without SQLAlchemy; gives what to set `rows` on, if somebody listens."""
    statement = _begun(text)
    try:
        yield statement
    except BaseException as error:
        if statement:
            statement.ended(error=error)
        raise
    if statement:
        statement.ended(rows=statement.rows)


def _begun(text: str) -> Statement | None:
    if not _logs or text.startswith(_SAVEPOINTS):
        return None
    statement = Statement(text)
    for log in _logs:
        log.statements.append(statement)
    return statement


def _before(connection: Connection, _cursor: Any, text: str, *_: Any) -> None:
    connection.info[_KEY] = _begun(text)


def _after(connection: Connection, cursor: Any, *_: Any) -> None:
    statement: Statement | None = connection.info.pop(_KEY, None)
    if statement:
        statement.ended(rows=cursor.rowcount if cursor.rowcount >= 0 else None)


def _on_error(context: ExceptionContext) -> None:
    if context.connection is not None and not context.connection.invalidated:
        statement: Statement | None = context.connection.info.pop(_KEY, None)
        if statement:
            statement.ended(error=context.original_exception)


_LISTENERS: Final[dict[str, Any]] = {
    "before_cursor_execute": _before,
    "after_cursor_execute": _after,
    "handle_error": _on_error,
}
