"""Who hears of a statement: the logs that its task, or one that started it, is in, and those of the whole process.

Costs nothing while no log is kept. Refuses: knowing what a log does with it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from dal.call_site import application_line
from dal.telemetry.statement import Statement, values_of

_SAVEPOINTS: Final = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")


class Hears(Protocol):
    """A log."""

    is_open: bool
    statements: list[Statement]

    @property
    def is_limited(self) -> bool:
        """Whether it has to be asked."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether the next statement may not be sent."""
        ...

    def admit(self, statement: Statement) -> None:
        """Raise if *statement* may not be sent."""
        ...


class _Hearers:
    """All logs of the process that are open; and what they share, as long as there are any."""

    def __init__(self) -> None:
        self.count = 0
        self.everywhere: tuple[Hears, ...] = ()
        self.salt = 0
        self.lock = threading.Lock()


_hearers: Final = _Hearers()
_of_context: Final[ContextVar[tuple[Hears, ...]]] = ContextVar("dal_statement_logs", default=())
_waited: Final[ContextVar[float | None]] = ContextVar("dal_waited_s", default=None)


def begin_to_hear(log: Hears, *, everywhere: bool) -> None:
    """Let *log* hear of what is sent: by this task and those that it starts from now on, or by the whole process."""
    with _hearers.lock:
        if not _hearers.count:
            _hearers.salt = random.SystemRandom().getrandbits(64)
            for name, listener in _LISTENERS.items():
                event.listen(Engine, name, listener, retval=name == "before_cursor_execute")
        _hearers.count += 1
        if everywhere:
            _hearers.everywhere += (log,)
    if not everywhere:
        _of_context.set((*_open(_of_context.get()), log))


def end_to_hear(log: Hears) -> None:
    """Let *log* hear of nothing more, in whatever task this is called."""
    _of_context.set(tuple(_open(_of_context.get())))
    with _hearers.lock:
        _hearers.everywhere = tuple(_open(_hearers.everywhere))
        _hearers.count -= 1
        if not _hearers.count:
            for name, listener in _LISTENERS.items():
                event.remove(Engine, name, listener)


def is_logging() -> bool:
    """Tell whether a log is kept anywhere in the process, so that dal itself listens to every engine."""
    return _hearers.count > 0


def logs_here() -> tuple[Hears, ...]:
    """Give the logs of this task, without those of the whole process; nothing while no log is kept."""
    return _of_context.get() if _hearers.count else ()


def heard_by(logs: Iterable[Hears]) -> None:
    """Let *logs*, and no other task's, hear of what this task sends from now on: it works for those who keep them."""
    _of_context.set(tuple(dict.fromkeys(logs)))


def waited(seconds: float) -> None:
    """Note that this task has waited for a connection: the next statement's."""
    if _hearers.count:
        _waited.set(seconds)


class _Nobody:
    """In the place of a statement that nobody hears of."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


_NOBODY: Final = _Nobody()


def statement_sent(text: str, parameters: Sequence[Any] = ()) -> Statement | _Nobody:
    """Note a statement that goes to the driver without SQLAlchemy, for the length of a `with`.

    Gives what to set `rows` on, if somebody listens. Raises `TooManyStatements` if it may not be sent.
    """
    return _begun(text, parameters) or _NOBODY


def _begun(text: str, parameters: Sequence[Any]) -> Statement | None:
    hearers = _hearers
    if not hearers.count:
        return None
    logs = _of_context.get()
    if hearers.everywhere:
        logs = hearers.everywhere + logs
    if not logs or text.startswith(_SAVEPOINTS):
        return None
    statement = Statement(text, application_line(), values_of(text, parameters, hearers.salt))
    for log in logs:
        if log.is_limited and log.is_open:
            log.admit(statement)  # before any has it
    is_heard = False
    for log in logs:
        if log.is_open:
            log.statements.append(statement)
            is_heard = True
    if not is_heard:
        return None
    if _waited.get() is not None:
        statement.wait_s = _waited.get()
        _waited.set(None)
    return statement


def _open(logs: Iterable[Hears]) -> list[Hears]:
    return [log for log in logs if log.is_open]


def _before(_connection: Connection, _cursor: Any, text: str, parameters: Any, context: Any, many: bool) -> Any:  # noqa: FBT001 # SQLAlchemy's call
    context.dal_statement = _begun(text, (parameters,) if many else parameters)
    return text, parameters  # SQLAlchemy would wrap a listener that gives nothing


def _after(_connection: Connection, cursor: Any, _text: str, _parameters: Any, context: Any, *_: Any) -> None:
    statement: Statement | None = getattr(context, "dal_statement", None)  # sent before the first log began
    if statement is not None:
        statement.ended(rows=cursor.rowcount if cursor.rowcount >= 0 else None)


def _on_error(context: ExceptionContext) -> None:
    statement: Statement | None = getattr(context.execution_context, "dal_statement", None)
    if statement is not None:
        statement.ended(error=context.original_exception)


_LISTENERS: Final[dict[str, Any]] = {
    "before_cursor_execute": _before,
    "after_cursor_execute": _after,
    "handle_error": _on_error,
}
