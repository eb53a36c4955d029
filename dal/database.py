"""One PostgreSQL database: its engine and pool, opened, warmed and checked together, closed together.

The only module that knows how many servers there are. Refuses: knowing models.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from types import EllipsisType, TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

import asyncpg
from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from dal.config import DatabaseConfig
from dal.connecting import open_driver, password_of, refuse_old_server
from dal.errors import ConfigError, from_sqlalchemy
from dal.hooks import is_engine_hooked, is_session_expected
from dal.lazy_loading import INFO, MAX_GROUP, MAX_GROUP_INFO, Lazy, checked
from dal.locks import AdvisoryKey, HeldLock, Name, held, patience_s
from dal.observer import Observer
from dal.pool import (
    Connection,
    LeasedQueuePool,
    keep_alive,
    listen,
    listen_for_last_words,
    look_at_path,
    warn_of_limits,
    warn_of_plain_text,
)
from dal.pool_config import PoolConfig
from dal.projection import (
    IS_UNDERSTOOD,
    AnySelect,
    Lookups,
    OneTransaction,
    ProjectionReads,
    Statements,
    select_into,
)
from dal.session import TellingSession, driver_connection
from dal.telemetry import statement_sent
from dal.transaction import Retry, Transaction, TransactionOptions, run

T = TypeVar("T")
U = TypeVar("U")

# One connection, opened when it is needed, which is what a script has.
_ONE: Final = PoolConfig(size=1, min_idle=0)


class Database:
    """A database as an application holds it: one per process, opened once.

    `async with Database(url) as db:` opens the pool to its floor, so that a wrong URL, password or server shows at the
    start and not at the first request. With `pool=None` there is one connection and no pool, for a script or a job.
    Bound to a `Database`, a repository runs every call on its own. Unless *coalesce* is False, lookups by primary key
    that concurrent tasks make at the same time share a statement: `get` and `get_many` with `into=`, and `exists`.
    *lazy* is what relationships that no statement loaded do when they are read in a unit of work, `dal.Lazy`: by
    default they load for all that came together, *max_group* at the most.

    It belongs to the event loop that it is first used in, and raises `PoolMisused` elsewhere: in another loop or
    thread, or after a fork.
    """

    is_transaction = False

    def __init__(
        self,
        config: str | URL | DatabaseConfig,
        *,
        pool: PoolConfig | EllipsisType | None = ...,
        observer: Observer | None = None,
        coalesce: bool = True,
        lazy: Lazy = "batch",
        max_group: int = MAX_GROUP,
    ) -> None:
        if isinstance(config, DatabaseConfig):
            if pool is not ...:
                raise ConfigError("the pool is given twice: in the DatabaseConfig and as pool=.")
            self.config = config
        else:
            self.config = DatabaseConfig.from_url(config, pool=_ONE if pool is None else pool)
        self._observer = observer
        self.engine = _create_engine(self.config, observer)
        self.statements = Statements(self.engine.sync_engine)
        self.lookups = Lookups(self) if coalesce else None
        # Shares the pool; no BEGIN and no ROLLBACK, so a read is one round trip.
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sessions = async_sessionmaker(
            self.engine,
            expire_on_commit=False,
            close_resets_only=False,
            sync_session_class=TellingSession,
            info={INFO: checked(lazy), MAX_GROUP_INFO: max_group},
        )
        self._reading = async_sessionmaker(self._autocommit, expire_on_commit=False, close_resets_only=False)

    def __repr__(self) -> str:
        return f"Database({self.config.where})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the pool to its floor, refuse a server that is too old, and look at its limits and the search path.

        What is dangerous there is warned of, or refused: too few connections, schemas in which others may create.
        Raises `CannotConnect`, `InvalidAuthorization`, `InvalidCatalogName` or `ConfigError`; nothing stays open then.
        """
        if self.pool.stock.is_closed:
            self.engine.sync_engine.dispose(close=False)  # which makes another pool
        in_use = bool(self.pool.stock.slots)
        try:
            await self.pool.stock.open()
            async with self.checkout(priority=True) as driver:
                await warn_of_limits(driver, self.config.pool)
                await look_at_path(driver, self.config.where)
        except BaseException:
            if not in_use:
                await self.close()
            raise

    async def close(self) -> None:
        """Close the connections that are in the pool; one that is still out is closed when it comes back."""
        if self.lookups is None:
            await self.pool.close()
            return
        await self.lookups.stop()
        await self.pool.close()
        await self.lookups.settle()

    @property
    def pool(self) -> LeasedQueuePool:
        """The pool: its `status()`, its `leases()`, and what can be done to it while it runs."""
        pool = self.engine.pool
        assert isinstance(pool, LeasedQueuePool)  # noqa: S101 # _create_engine gives no other
        return pool

    def checkout(self, *, priority: bool = False) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Lend asyncpg's own connection, for what SQLAlchemy is not needed for; every statement commits on its own.

        With *priority* it goes before those who wait and is never shed, as a health check should be.
        """
        return self.pool.checkout(priority=priority)

    def advisory_lock(
        self, name: Name, *, shared: bool = False, wait: bool = True, timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[HeldLock]:
        """Hold a lock by name for the length of an `async with`, over any number of transactions.

        It keeps a connection of the pool out. While it is not free, the server is asked again after half a second at
        the most, on no connection in between; nobody's turn is kept. Raises `LockNotAvailable`, which names the holder,
        at once without *wait* or after *timeout_s*; and `ConnectionLost` at the end of the block if the lock was lost
        meanwhile, which `is_held` and `check()` of the lock tell before.
        """
        key = AdvisoryKey.of(name, shared=shared)
        return held(self.checkout, key, patience_s(wait=wait, timeout_s=timeout_s))

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """Lend a session whose every statement stands alone; what it loads comes back detached."""
        async with self._reading() as session:
            yield session

    def reading_driver(self) -> AbstractAsyncContextManager[asyncpg.Connection | None]:
        """Lend the driver's connection for one read, or None where a hook wants SQLAlchemy to send it."""
        return nullcontext() if self.is_hooked() else self.pool.checkout()

    def is_watched(self) -> bool:
        """Tell whether the pool has listeners, who may do something for the task that takes a connection."""
        events = self.pool.dispatch
        return bool(events.checkout or events.checkin or events.reset)

    def is_hooked(self) -> bool:
        """Tell whether SQLAlchemy has to send the statements of reads: a hook wants it, or it is not understood."""
        return not IS_UNDERSTOOD or is_session_expected() or is_engine_hooked(self.engine.sync_engine)

    @asynccontextmanager
    async def streaming(self) -> AsyncGenerator[ProjectionReads]:
        """Lend what a stream is read from: a transaction of its own, in which all is seen as at one moment."""
        async with self.begin(isolation="repeatable read", read_only=True) as session:
            yield OneTransaction(session, self.statements)
            await session.rollback()  # nothing was written, so that nobody need ask what became of a COMMIT

    def begin(self, **options: Unpack[TransactionOptions]) -> Transaction:
        """Lend a session in a transaction: committed on a clean exit, rolled back on any exception.

        None of the options costs a round trip; see `TransactionOptions`.
        """
        return Transaction(self._sessions, self.checkout, options)

    async def run(
        self,
        function: Callable[[U], Awaitable[T]],
        scope: Callable[..., AbstractAsyncContextManager[U]],
        *,
        retry: Retry = Retry(),  # noqa: B008 # a frozen value
        **options: Unpack[TransactionOptions],
    ) -> T:
        """Run *function* in a new unit of work, such as `Shop`, until it is committed; gives what it returns.

        Again as *retry* says, each time with entities of its own: *function* must not touch what other attempts have
        made, nor do what no rollback undoes. Never after a COMMIT whose outcome is unknown.
        """

        async def attempt() -> T:
            async with scope(self, **options) as unit:
                return await function(unit)

        return await run(attempt, getattr(function, "__qualname__", repr(function)), retry, self._observer)

    def writing(self) -> Transaction:
        """Lend a session for one write, in a transaction of its own."""
        return self.begin()

    def writing_once(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Lend a session whose every statement commits on its own: one round trip for a write that is one statement."""
        return self.reading()

    async def select_into(
        self, type_: type[T], statement: AnySelect, parameters: Mapping[str, Any] | None = None
    ) -> list[T]:
        """Read what *statement* gives into *type_*: each field takes the column of its name, whatever their order.

        Columns that no field is named like are left out. A type that is no class with fields, such as `int`, takes the
        first column. `select(Order)` of one mapped class is read as `list(into=)` reads it, with its collections. A
        text() may write, and give rows by RETURNING; it commits on its own. Raises
        `ProjectionError` for a field without its column, for a text() too before it is run. One round trip.
        """
        return await select_into(self, type_, statement, parameters or {})

    async def execute_script(self, script: str) -> None:
        """Run several statements without parameters, in one round trip.

        They commit together or not at all, unless the script has a BEGIN or COMMIT of its own; what it begins and does
        not end is rolled back.
        """
        async with self._autocommit.connect() as connection, driver_connection(connection) as driver:
            try:
                with statement_sent(script):
                    await driver.execute(script)
            finally:
                if driver.is_in_transaction():
                    await driver.execute("ROLLBACK")  # the script began what it did not end


def _create_engine(config: DatabaseConfig, observer: Observer | None) -> AsyncEngine:
    async def connect(**options: Any) -> asyncpg.Connection:
        driver = await open_driver(config.where, options)
        try:
            refuse_old_server(driver.get_server_version(), config.where)
        except ConfigError:
            driver.terminate()
            raise
        keep_alive(driver)
        warn_of_plain_text(driver)
        listen_for_last_words(driver)
        return driver

    engine = create_async_engine(
        config.url,
        poolclass=LeasedQueuePool,
        pool_config=config.pool,
        pool_observer=observer,
        hide_parameters=config.hide_parameters,
        connect_args={
            "async_creator_fn": connect,
            "connection_class": Connection,
            "timeout": config.pool.connect_timeout_s,
            **password_of(config),
            "server_settings": {"application_name": config.application_name, **config.server_settings},
        },
    )
    listen(engine.sync_engine)
    event.listen(engine.sync_engine, "handle_error", from_sqlalchemy, retval=False)
    return engine
