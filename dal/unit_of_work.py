"""A transaction with the repositories that take part in it.

Refuses: building SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack, get_type_hints
from weakref import WeakKeyDictionary, WeakSet

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from dal.call_site import CallSite
from dal.database import Database
from dal.errors import UnitOfWorkError
from dal.locks import AdvisoryKey, Name, lock_until_end, patience_s
from dal.projection import IS_UNDERSTOOD, AnySelect, ProjectionReads, Statements, select_into
from dal.repository import Repository
from dal.session import reading_driver
from dal.transaction import Callback, Callbacks, Outcome, TransactionOptions
from dal.turn import Turn

T = TypeVar("T")

# What each task has open.
_open: Final[WeakKeyDictionary[asyncio.Task[Any], WeakSet[UnitOfWork]]] = WeakKeyDictionary()


class UnitOfWork:
    """One transaction: `async with Shop(db) as shop:` commits on a clean exit, and rolls back on any exception.

    A subclass names its repositories by annotations:

        class Shop(UnitOfWork):
            customers: CustomerRepository
            orders: OrderRepository

    BEGIN goes out with the first statement, so an unused unit of work costs nothing. Cancellation rolls back too; a
    COMMIT or ROLLBACK that is under way is finished before the cancellation goes on. For one task at a time, and once.
    A task that has one open on the same database opens another, with another connection, only if that one is
    *independent*.
    """

    is_transaction = True
    # What another one reads on another connection is not what this transaction sees.
    lookups: None = None

    def __init__(self, database: Database, *, independent: bool = False, **options: Unpack[TransactionOptions]) -> None:
        self._database = database
        self._independent = independent
        self._transaction = database.begin(**options)
        self._session: AsyncSession | None = None
        self._turn = Turn(type(self).__name__)
        self._task: asyncio.Task[Any] | None = None
        self._entered: CallSite | None = None
        self._detached: CallSite | None = None
        self._left: CallSite | None = None
        self._callbacks = Callbacks()

    async def __aenter__(self) -> Self:
        if self._entered is not None:
            raise UnitOfWorkError(f"this {self._name} was entered before, at {self._entered}: make a new one.")
        self._task = asyncio.current_task()
        assert self._task is not None  # noqa: S101 # `async with` runs in a task
        self._refuse_a_second(self._task)
        self._entered = CallSite.here()
        self._session = await self._transaction.__aenter__()
        _open.setdefault(self._task, WeakSet()).add(self)
        for name, repository in _repositories_of(type(self)).items():  # type: ignore[arg-type] # mypy: type[Self] has no hash
            setattr(self, name, repository(self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session, self._left = None, CallSite.here()
        if self._task is not None:
            _open[self._task].discard(self)
        intrusion = self._turn.intrusion("is left")
        if intrusion is not None:
            self._transaction.cut()  # no rollback can be sent while another task is in the middle of a statement
        try:
            await self._transaction.__aexit__(kind, error or intrusion, traceback)
        finally:
            await self._callbacks.call(self.outcome)
        if intrusion is not None and error is None:
            raise intrusion

    @property
    def session(self) -> AsyncSession:
        """SQLAlchemy's session, for whatever has no repository method."""
        if self._session is None or self._detached is not None:
            raise UnitOfWorkError(f"this {self._name} {self._why_not()}")
        return self._session

    @property
    def outcome(self) -> Outcome:
        """What became of the transaction; known also after a cancellation."""
        return self._transaction.outcome

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """Lend the session to a repository's read."""
        async with self._turn:
            yield self.session

    @asynccontextmanager
    async def reading_driver(self) -> AsyncGenerator[asyncpg.Connection | None]:
        """Lend the driver's connection to a repository's read, or None where a hook wants SQLAlchemy to send it."""
        async with self._turn:
            yield await reading_driver(self.session) if IS_UNDERSTOOD else None

    def streaming(self) -> AbstractAsyncContextManager[ProjectionReads]:
        """Lend itself to a repository's stream."""
        _ = self.session
        return nullcontext(self)

    @property
    def statements(self) -> Statements:
        """The statements that are compiled for its database."""
        return self._database.statements

    def writing(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend the session to a repository's write."""
        return self.reading()

    def writing_once(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend the session to a repository's statement."""
        return self.reading()

    async def select_into(
        self, type_: type[T], statement: AnySelect, parameters: Mapping[str, Any] | None = None
    ) -> list[T]:
        """Read what *statement* gives into *type_*, as `Database.select_into` does, in this transaction.

        Pending changes are flushed before. Entities in the session know nothing of what a text() writes.
        """
        return await select_into(self, type_, statement, parameters or {})

    async def advisory_lock(
        self, name: Name, *, shared: bool = False, wait: bool = True, timeout_s: float | None = None
    ) -> None:
        """Take a lock by name until the end of the transaction; it cannot be freed before.

        One round trip; four when *timeout_s* is given and the lock is not free at once. Raises `LockNotAvailable`,
        which names the holder, at once without *wait* or after *timeout_s*: the transaction can go on. Raises
        `DeadlockDetected` like any lock of the server's.
        """
        key = AdvisoryKey.of(name, shared=shared)
        async with self.writing() as session:
            await lock_until_end(session, key, patience_s(wait=wait, timeout_s=timeout_s))

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo only what the block did when it raises; two round trips."""
        async with self._turn, self.session.begin_nested():
            yield

    @asynccontextmanager
    async def detached(self) -> AsyncGenerator[None]:
        """Give the connection back for the length of a slow call to somebody else.

        Entities stay; what is read afterwards is read in another snapshot. Two round trips, none if nothing was sent.
        Raises `UnitOfWorkError` if the unit of work has written or locked anything, or is more isolated than READ
        COMMITTED.
        """
        async with self._turn:
            _ = self.session
            await self._transaction.pause()
            self._detached = CallSite.here()
            try:
                yield
            finally:
                self._detached = None

    def after_commit(self, callback: Callback) -> None:
        """Call *callback*, and await what it gives, once the transaction is committed and its connection given back.

        What it raises is logged and goes no further: the transaction is there whatever becomes of it.
        """
        self._callbacks.add(Outcome.COMMITTED, callback)

    def after_rollback(self, callback: Callback) -> None:
        """Call *callback* as `after_commit` does, but once the transaction is rolled back."""
        self._callbacks.add(Outcome.ROLLED_BACK, callback)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _refuse_a_second(self, task: asyncio.Task[Any]) -> None:
        for other in _open.get(task, ()):
            if other._database is self._database and not self._independent:  # noqa: SLF001 # its own kind
                raise UnitOfWorkError(
                    f"this {self._name}, entered at {CallSite.here()}, would be another transaction beside the "
                    f"{other._name} that this task has open since {other._entered}. "  # noqa: SLF001 # see above
                    "Use that one, or its savepoint(); or say independent=True."
                )

    def _why_not(self) -> str:
        here = CallSite.here()
        if self._left is not None:
            return f"is over since {self._left}, and is used at {here}: use it inside `async with`."
        if self._detached is not None:
            return f"has no connection since {self._detached}, and is used at {here}: use it after detached()."
        return f"is not entered yet, and is used at {here}: use it inside `async with`."


@lru_cache(maxsize=1000)
def _repositories_of(unit_of_work: type[Any]) -> dict[str, type[Repository[Any]]]:
    hints = get_type_hints(unit_of_work)
    return {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Repository)}
