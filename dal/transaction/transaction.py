"""One transaction, from its session to its outcome.

Refuses: knowing repositories, and running anything again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final

from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncSession

from dal.errors import CommitOutcomeUnknown, ConnectionLost, InFailedSQLTransaction, UnitOfWorkError, UnitOfWorkTimeout
from dal.pool import Connection
from dal.session import on_begin
from dal.transaction.deadline import Deadline
from dal.transaction.finishing import finished
from dal.transaction.options import TransactionOptions, opening, server_timeout_s
from dal.transaction.outcome import Lend, Outcome, ask
from dal.transaction.pausing import refuse_to_pause

# How long a COMMIT may go on after its task was cancelled, or its time is over, before its connection is cut.
COMMIT_PATIENCE_S: Final = 5.0

_NOT_TOLD: Final = (
    "the connection was lost between COMMIT and its answer, and the server cannot tell what became of the transaction: "
    "it is there whole, or not at all."
)
_FLUSH_FAILED: Final = (
    "nothing was committed: a flush had failed, and its error was caught. Put what may fail into a savepoint."
)
_LOST_BEFORE: Final = "nothing was committed: the connection had been lost, and the error was caught."
_LOST: Final = "the connection was lost during COMMIT; the server says that the transaction was rolled back."


class Transaction:
    """Lends a session: `async with db.begin() as session:` commits on a clean exit, and rolls back on any exception.

    BEGIN goes out with the first statement, so an unused transaction costs nothing. Cancellation rolls back; a COMMIT
    or ROLLBACK that is under way is finished first, and given up after `COMMIT_PATIENCE_S`. `outcome` says what became
    of it, also when the block ends with a `CancelledError`. For one task at a time, and once.
    """

    def __init__(self, sessions: Callable[[], AsyncSession], checkout: Lend, options: TransactionOptions) -> None:
        self.outcome = Outcome.OPEN
        self._opening = opening(options)
        self._is_numbered = options.get("verify_commit", False) and not options.get("read_only", False)
        self._deadline = Deadline(
            options.get("timeout_s"), server_timeout_s(options), options.get("statement_timeout_s")
        )
        self._sessions, self._checkout = sessions, checkout
        self._session: AsyncSession | None = None
        self._driver: Connection | None = None

    async def __aenter__(self) -> AsyncSession:
        if self._session is not None:
            raise UnitOfWorkError("this transaction was entered before: call db.begin() once more for another one.")
        self._session = session = self._sessions()
        on_begin(session, self._begins)
        await self._deadline.start()
        return session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            await self._roll_back(error)
            return
        try:
            await self._prepare()
        except BaseException as refused:
            await self._roll_back(refused)
            raise
        await self._finish(self._commit(), limit_s=self._deadline.left_s)
        await self._deadline.end(None)

    async def pause(self) -> None:
        """Give the connection back; the next statement begins anew, with the same options.

        Raises `UnitOfWorkError` if there is anything to lose. Two round trips; none if nothing was sent.
        """
        if self._driver is None:
            return
        await refuse_to_pause(self._entered)
        try:
            await self._entered.commit()
        except CommitOutcomeUnknown as error:
            raise ConnectionLost("the connection was lost when it was given back; nothing was written.") from error
        self._driver = None

    def cut(self) -> None:
        """End the connection: what is under way fails, and all is rolled back."""
        if self._driver is not None:
            self._driver.terminate()

    @property
    def _entered(self) -> AsyncSession:
        assert self._session is not None  # noqa: S101 # `async with` enters before it exits
        return self._session

    def _begins(self, driver: Connection) -> None:
        self._driver = driver
        driver.open_with(self._opening, numbered=self._is_numbered)

    # Its end.

    async def _prepare(self) -> None:
        """Send what the session still has to send: not with the COMMIT, which neither time nor cancellation ends."""
        session = self._entered
        if session.new or session.dirty or session.deleted:
            await session.flush()
        self._deadline.hold()
        if self._deadline.has_passed:
            await asyncio.sleep(0)  # where the cancellation comes out

    async def _roll_back(self, error: BaseException) -> None:
        self._deadline.hold()
        try:
            await self._finish(self._close())
        except asyncio.CancelledError as cancelled:
            error = cancelled
            raise
        finally:
            is_late = await self._deadline.end(error)
        if is_late:
            raise UnitOfWorkTimeout(
                f"the transaction took {self._deadline.elapsed_s:.2f} s, its timeout_s is {self._deadline.seconds}: it "
                "was rolled back. Look for a lock it waited for, or raise timeout_s."
            ) from error

    async def _close(self) -> None:
        self.outcome = Outcome.ROLLED_BACK
        await self._entered.close()

    async def _commit(self) -> None:
        session = self._entered
        try:
            await session.commit()
            self.outcome = Outcome.COMMITTED
        except PendingRollbackError as error:
            self.outcome = Outcome.ROLLED_BACK
            if self._driver is not None and self._driver.is_closed():
                raise ConnectionLost(_LOST_BEFORE) from error
            raise InFailedSQLTransaction(_FLUSH_FAILED) from error
        except CommitOutcomeUnknown as error:
            await self._learn()
            self._tell(error)
        except asyncio.CancelledError:  # of this task's own: everything is cancelled at the end of a loop
            self.cut()
            await self._learn()
            raise
        except BaseException:
            # A listener's, after the COMMIT, is no rollback.
            done = self._driver is not None and self._driver.tag == "COMMIT"
            self.outcome = Outcome.COMMITTED if done else Outcome.ROLLED_BACK
            raise
        finally:
            await session.close()

    async def _learn(self) -> None:
        """Ask the server for the outcome, if it can tell."""
        self.outcome = Outcome.UNKNOWN
        await self._entered.close()  # the question may need its place in the pool
        if self._driver is not None and self._driver.number is not None:
            self.outcome = await ask(self._checkout, self._driver.number)

    def _tell(self, unknown: CommitOutcomeUnknown) -> None:
        if self.outcome is Outcome.UNKNOWN:
            if self._is_numbered:
                raise CommitOutcomeUnknown(_NOT_TOLD) from unknown
            raise unknown
        if self.outcome is Outcome.ROLLED_BACK:
            raise ConnectionLost(_LOST) from unknown

    async def _finish(self, work: Coroutine[Any, Any, None], limit_s: float | None = None) -> None:
        limit_s = None if limit_s is None else limit_s + COMMIT_PATIENCE_S
        try:
            await finished(work, give_up=self.cut, patience_s=COMMIT_PATIENCE_S, limit_s=limit_s)
        except asyncio.CancelledError as cancelled:
            cancelled.add_note(f"The transaction's outcome: {self.outcome}.")
            raise
