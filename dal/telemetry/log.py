"""The log of what a task and those that it starts send to the server; and a limit to it."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from dal.errors import TooManyStatements
from dal.telemetry.hearing import begin_to_hear, end_to_hear
from dal.telemetry.repeated import Repeated, repeated
from dal.telemetry.report import report
from dal.telemetry.statement import Statement


class StatementLog:
    """Every statement sent inside `with StatementLog() as log:`, through SQLAlchemy or dal, projections and COPY too.

    In the order of their beginnings. It hears of the task that enters it and of the tasks and threads that this one
    starts meanwhile, where they get a copy of its context: `asyncio.create_task`, `asyncio.to_thread`, a portal's call.
    A lookup that shares a statement with those of other tasks is in the logs of all of them. With *everywhere*: of all
    tasks, threads and engines of the process. BEGIN, COMMIT, ROLLBACK and savepoints are no statements here, nor is
    what the application sends itself on asyncpg's connection. Values of parameters are in no log.

    Costs some 6 us for each statement on the driver, and 12 to 18 for one that SQLAlchemy sends.
    """

    def __init__(self, *, everywhere: bool = False) -> None:
        self.statements: list[Statement] = []
        self.is_open = False
        self._everywhere = everywhere

    def __enter__(self) -> Self:
        if self.is_open:
            raise RuntimeError("this StatementLog is kept already: make another one.")
        self.is_open = True
        begin_to_hear(self, everywhere=self._everywhere)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.is_open = False
        end_to_hear(self)

    def __len__(self) -> int:
        return len(self.statements)

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.statements)

    def __str__(self) -> str:
        return "\n".join(map(str, self.statements)) or "no statements"

    def n_plus_one(self, *, at_least: int = 2) -> list[Repeated]:
        """Find what a line has sent *at_least* so many times with different parameters, the costliest first.

        Statements for sets of rows do not count: they are the chunks of one read or write.
        """
        return repeated(self.statements, at_least=at_least)

    def report(self) -> str:
        """Draw a table: a line for each kind of statement and each line of code that sent it, the costliest first."""
        return report(self.statements)

    is_limited = False
    is_full = False

    def admit(self, statement: Statement) -> None:
        """Let any number of statements be sent."""


class max_statements(StatementLog):  # noqa: N801 # reads as what it is where it is used
    """Let the block send *most* statements, and no more: the next one is not sent, and raises `TooManyStatements`.

    At that statement and not at the end of the block, so that the traceback ends at its line and a loop without end
    stops. It is a log, too, and hears of the same tasks.
    """

    is_limited = True

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    @property
    def is_full(self) -> bool:  # type: ignore[override] # which never changes for others
        """Whether the next statement is one too many."""
        return len(self.statements) >= self._most

    def admit(self, statement: Statement) -> None:
        """Raise `TooManyStatements` for one too many."""
        if not self.is_full:
            return
        worst = self.n_plus_one()[:1]
        text = " ".join(statement.text.split())
        raise TooManyStatements(
            f"at most {self._most} statements may be sent here, and {statement.call_site} asks for another one, which "
            f"was not sent: {text}. " + (str(worst[0]) if worst else "Read more with each, or raise the limit.")
        )
