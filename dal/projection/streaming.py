"""Rows in batches, as their reader asks for them: there are never more of them in memory than a batch.

On the driver by a portal, which the server runs as far as it is asked to. That is no DECLARE CURSOR: it is planned for
all of its rows, and `cursor_tuple_fraction` has no say. Refuses: to go on when its transaction is over.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncpg
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncResult, AsyncScalarResult, AsyncSession
from sqlalchemy.orm import SessionTransaction

from dal.errors import UnitOfWorkError, raise_named
from dal.hooks import changes_statements
from dal.projection.assembly import Rows, assemble
from dal.projection.compiling import IS_UNDERSTOOD, Compiled, Statements
from dal.projection.plan import Level
from dal.projection.portals import close_portal, close_portal_of
from dal.projection.reading import BySession, OnDriver, ProjectionReads, complete
from dal.session import reading_driver
from dal.telemetry import Statement, statement_sent

_OVER: Final = (
    "the transaction that this stream reads in is over, and what it had still to give is gone with it: read a stream "
    "to its end, or leave it, before detached(), commit() and rollback()."
)


class Batches(Protocol):
    """What is left of the rows."""

    async def next(self) -> Sequence[Any]:
        """Read the next ones; none is the end."""
        ...

    async def close(self) -> None:
        """Let the server forget the rest, if the transaction goes on."""
        ...


@dataclass(frozen=True, slots=True)
class OneTransaction:
    """A session in a transaction, to read from."""

    session: AsyncSession
    statements: Statements

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """Lend the session."""
        yield self.session

    @asynccontextmanager
    async def reading_driver(self) -> AsyncGenerator[asyncpg.Connection | None]:
        """Lend the driver's connection, or None where a hook wants SQLAlchemy to send the statement."""
        yield await reading_driver(self.session) if IS_UNDERSTOOD else None


async def stream(source: ProjectionReads, level: Level, statement: Select[Any], batch_rows: int) -> Batches:
    """Begin to read *statement*, a SELECT of the entity that *level* is planned for.

    A round trip to begin, one for each batch, and one for each collection of each batch.
    """
    if not changes_statements(statement.get_execution_options()):
        async with source.reading_driver() as driver:
            if driver is not None:
                return await _portal(source, driver, level, statement, batch_rows)
    async with source.reading() as session:
        result = await session.stream(level.project(statement), execution_options={"yield_per": batch_rows})
        return _Result(_Transaction.of(source, session), result, level, batch_rows)


async def stream_entities(source: ProjectionReads, statement: Select[Any], batch_rows: int, *, detach: bool) -> Batches:
    """Begin to read the entities of *statement*; with *detach* no session knows them afterwards."""
    async with source.reading() as session:
        result = await session.stream_scalars(statement, execution_options={"yield_per": batch_rows})
        return _Entities(_Transaction.of(source, session), result, batch_rows, detach)


@dataclass(frozen=True, slots=True)
class _Transaction:
    """The one in which a stream began: its rows are there, on that connection, and nowhere else."""

    source: ProjectionReads
    session: AsyncSession
    began: SessionTransaction | None

    @classmethod
    def of(cls, source: ProjectionReads, session: AsyncSession) -> _Transaction:
        return cls(source, session, session.sync_session.get_transaction())

    @property
    def is_over(self) -> bool:
        return self.session.sync_session.get_transaction() is not self.began

    def refuse_another(self) -> None:
        if self.is_over:
            raise UnitOfWorkError(_OVER)


async def _portal(
    source: ProjectionReads, driver: asyncpg.Connection, level: Level, statement: Select[Any], batch_rows: int
) -> _Portal:
    compiled, sql, arguments = source.statements.asked(level, statement, level.project)
    sent = _Sent(driver, compiled, sql, arguments, source.statements.hide_parameters)
    with sent.errors_named(), statement_sent(sql, arguments) as noted:
        cursor = await (_first(sent) if compiled.processors is None else driver.cursor(sql, *arguments))
    async with source.reading() as session:
        return _Portal(_Transaction.of(source, session), sent, cursor, level, batch_rows, noted)


async def _first(sent: _Sent) -> Any:
    """Send for the first time, and learn the types of the columns."""
    prepared = await sent.driver.prepare(sent.sql)
    sent.compiled.learn(prepared.get_attributes())
    return await prepared.cursor(*sent.arguments)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The statement of a portal."""

    driver: asyncpg.Connection
    compiled: Compiled
    sql: str
    arguments: Sequence[Any]
    hide_parameters: bool

    @contextmanager
    def errors_named(self) -> Generator[None]:
        try:
            yield
        except Exception as error:
            if isinstance(error, asyncpg.InvalidCachedStatementError):
                driver: Any = self.driver  # of dal.pool, which asyncpg's types do not know
                driver.forget_statements()  # the next one prepares anew
            raise_named(
                error,
                driver=self.driver,
                statement=self.sql,
                parameters=self.arguments,
                hide_parameters=self.hide_parameters,
                disconnected=self.driver.is_closed(),
            )
            raise


@dataclass(frozen=True, slots=True)
class _Portal:
    transaction: _Transaction
    sent: _Sent
    cursor: Any
    level: Level
    batch_rows: int
    statement: Statement | None

    async def next(self) -> Sequence[Any]:
        self.transaction.refuse_another()
        # What the session has pending is flushed, as before every read.
        async with self.transaction.source.reading_driver():
            sent = self.sent
            with sent.errors_named():
                rows = Rows(await self._fetch(), sent.compiled.processors, statement=self.statement)
            sender = OnDriver(sent.driver, self.transaction.source.statements)
            return assemble(self.level, await complete(sender, self.level, rows))

    async def _fetch(self) -> Sequence[Any]:
        started = time.perf_counter()
        rows: Sequence[Any] = await self.cursor.fetch(self.batch_rows)
        if self.statement is not None:
            self.statement.went_on(time.perf_counter() - started, len(rows))
        return rows

    async def close(self) -> None:
        if not self.transaction.is_over:
            await close_portal(self.cursor)


@dataclass(frozen=True, slots=True)
class _Result:
    transaction: _Transaction
    result: AsyncResult[Any]
    level: Level
    batch_rows: int

    async def next(self) -> Sequence[Any]:
        self.transaction.refuse_another()
        async with self.transaction.source.reading() as session:
            rows = Rows(await self.result.fetchmany(self.batch_rows))
            return assemble(self.level, await complete(BySession(session), self.level, rows))

    async def close(self) -> None:
        if not self.transaction.is_over:
            await close_portal_of(self.result)
        await self.result.close()


@dataclass(frozen=True, slots=True)
class _Entities:
    transaction: _Transaction
    result: AsyncScalarResult[Any]
    batch_rows: int
    detach: bool

    async def next(self) -> Sequence[Any]:
        self.transaction.refuse_another()
        async with self.transaction.source.reading() as session:
            found = await self.result.fetchmany(self.batch_rows)
            if self.detach:
                # Not expunge_all(): SQLAlchemy goes on to read into the same identity map.
                held = session.sync_session
                for each in list(held.identity_map.values()):
                    if each in held:  # it may have gone with another one
                        held.expunge(each)
            return found

    async def close(self) -> None:
        if not self.transaction.is_over:
            await close_portal_of(self.result)
        await self.result.close()
