"""Runs a plan: the root's SELECT, then one for each collection, on the driver or by SQLAlchemy.

Refuses: planning.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from dal.errors import driver_errors_named, raise_named
from dal.hooks import changes_statements
from dal.projection.assembly import Rows, assemble
from dal.projection.compiling import Compiled, Statements, criteria_of
from dal.projection.plan import Child, Level, key_names
from dal.session import ReadingSource, SessionSource
from dal.telemetry import is_logging, statement_sent


class LooksUp(Protocol):
    """Looks up rows by primary key for several tasks at once."""

    def read(self, lookup: Any, keys: Sequence[tuple[Any, ...]], count: int | None) -> Coroutine[Any, Any, Any]:
        """Read the row of the only one of *keys*, or None; or a list of *count* rows, in their order."""
        ...


class ProjectionReads(ReadingSource, Protocol):
    """What a projection is read from."""

    @property
    def statements(self) -> Statements:
        """The statements that are compiled for it."""
        ...


class ProjectionSource(SessionSource, ProjectionReads, Protocol):
    """A `Database` or a `UnitOfWork`."""

    @property
    def lookups(self) -> LooksUp | None:
        """Who looks up rows by primary key for several tasks at once; None if each does it himself."""
        ...

    def streaming(self) -> AbstractAsyncContextManager[ProjectionReads]:
        """Lend what a stream is read from: one transaction, until its end."""
        ...


class Sender(Protocol):
    """Sends statements; *criteria* are options of SQLAlchemy's that hold for the fixed ones too."""

    criteria: tuple[Any, ...]

    async def asked(self, level: Level, statement: Select[Any]) -> Rows:
        """Send a SELECT of an entity as *level* reads it."""
        ...

    async def fixed(self, name: Hashable, statement: Select[Any], values: Mapping[str, Any]) -> Rows:
        """Send the SELECT that *name* always stands for."""
        ...


class OnDriver:
    """Sends on asyncpg's connection: one round trip for each statement once it is prepared there."""

    __slots__ = ("_driver", "_statements", "criteria")

    def __init__(self, driver: asyncpg.Connection, statements: Statements) -> None:
        self._driver = driver
        self._statements = statements
        self.criteria: tuple[Any, ...] = ()

    async def asked(self, level: Level, statement: Select[Any]) -> Rows:
        """Send a SELECT of an entity as *level* reads it."""
        compiled, sql, arguments = self._statements.asked(level, statement, level.project)
        return await self._send(compiled, sql, arguments)

    async def fixed(self, name: Hashable, statement: Select[Any], values: Mapping[str, Any]) -> Rows:
        """Send the SELECT that *name* always stands for."""
        if self.criteria:
            return await self._send(*self._statements.given(statement.options(*self.criteria), values))
        compiled = self._statements.fixed(name, statement)
        return await self._send(compiled, *compiled.bind(values))

    async def given(self, compiled: Compiled, sql: str, arguments: Sequence[Any]) -> Rows:
        """Send any statement."""
        return await self._send(compiled, sql, arguments)

    async def learn(self, compiled: Compiled, sql: str) -> None:
        """Have the server say what *sql* would give, without running it; a round trip."""
        with driver_errors_named(driver=self._driver, hide_parameters=self._statements.hide_parameters):
            compiled.learn((await self._driver.prepare(sql)).get_attributes())

    async def _send(self, compiled: Compiled, sql: str, arguments: Sequence[Any]) -> Rows:
        try:
            if is_logging():
                return await self._noted(compiled, sql, arguments)
            return Rows(await self._fetch(compiled, sql, arguments), compiled.processors)
        except Exception as error:
            hide, lost = self._statements.hide_parameters, self._driver.is_closed()
            raise_named(
                error, driver=self._driver, statement=sql, parameters=arguments, hide_parameters=hide, disconnected=lost
            )
            raise

    async def _noted(self, compiled: Compiled, sql: str, arguments: Sequence[Any]) -> Rows:
        with statement_sent(sql, arguments) as sent:
            rows = await self._fetch(compiled, sql, arguments)
            if sent:
                sent.rows = len(rows)
        return Rows(rows, compiled.processors, statement=sent)

    def _fetch(self, compiled: Compiled, sql: str, arguments: Sequence[Any]) -> Coroutine[Any, Any, Sequence[Any]]:
        if compiled.processors is None:
            return self._first(compiled, sql, arguments)
        fetching: Coroutine[Any, Any, Sequence[Any]] = self._driver.fetch(sql, *arguments)
        return fetching

    async def _first(self, compiled: Compiled, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Send for the first time, and learn the types of the columns."""
        driver: Any = self._driver  # of dal.pool, which asyncpg's types do not know
        prepared = await driver.prepare_kept(sql)
        compiled.learn(prepared.get_attributes())
        # By fetch, which finds the same statement, and prepares it anew if it is outdated.
        return await driver.fetch(sql, *arguments)  # type: ignore[no-any-return] # asyncpg ships no types


class BySession:
    """Has SQLAlchemy send them, with all its hooks."""

    __slots__ = ("_session", "criteria")

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self.criteria: tuple[Any, ...] = ()

    async def asked(self, level: Level, statement: Select[Any]) -> Rows:
        """Send a SELECT of an entity as *level* reads it."""
        return Rows((await self._session.execute(level.project(statement))).all())

    async def fixed(self, name: Hashable, statement: Select[Any], values: Mapping[str, Any]) -> Rows:
        """Send a SELECT, which SQLAlchemy knows by its own key."""
        del name
        return Rows((await self._session.execute(statement.options(*self.criteria), dict(values))).all())


async def read(
    source: ProjectionSource, level: Level, statement: Select[Any], *, concurrent: bool = False
) -> list[Any]:
    """Read *statement*, a SELECT of the entity that *level* is planned for: a round trip for it, one for each child.

    If *concurrent*, each child of the root is read on a connection of its own, at the same time as the others.
    """
    return assemble(level, await fetch(source, level, statement, concurrent=concurrent))


async def fetch(source: ProjectionSource, level: Level, statement: Select[Any], *, concurrent: bool = False) -> Rows:
    """Read the rows of *statement*, and what belongs to them; columns beside the entity come last in each row."""
    plain = not changes_statements(statement.get_execution_options())
    criteria = criteria_of(statement)
    async with sending(source, plain=plain) as sender:
        sender.criteria = criteria
        rows = await sender.asked(level, statement)
        if not concurrent:
            await complete(sender, level, rows)
    if concurrent:
        await _complete_at_once(source, level, rows, criteria)
    return rows


@asynccontextmanager
async def sending(source: ProjectionSource, *, plain: bool = True) -> AsyncGenerator[Sender]:
    """Lend what sends: on the driver's connection if a *plain* statement may go there, else SQLAlchemy."""
    if plain:
        async with source.reading_driver() as driver:
            if driver is not None:
                yield OnDriver(driver, source.statements)
                return
    async with source.reading() as session:
        yield BySession(session)


async def _complete_at_once(source: ProjectionSource, level: Level, rows: Rows, criteria: tuple[Any, ...]) -> None:
    """Read what belongs to *rows*, having given their connection back: nobody who holds one waits for another."""

    async def one(child: Child) -> None:
        async with sending(source) as sender:
            sender.criteria = criteria
            rows.children[child] = await fetch_children(sender, child, _keys(child, rows))

    try:
        async with asyncio.TaskGroup() as group:
            for child in level.children if rows.rows else ():
                group.create_task(one(child))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def complete(sender: Sender, level: Level, rows: Rows) -> Rows:
    """Read what belongs to *rows*, and to that, level by level."""
    if rows.rows:
        for child in level.children:
            rows.children[child] = await fetch_children(sender, child, _keys(child, rows))
    return rows


async def fetch_children(sender: Sender, child: Child, keys: Sequence[Any]) -> Rows:
    """Read the rows that belong to parents with these *keys*, in one statement, and what belongs to them."""
    arrays = [keys] if len(child.own) == 1 else [list(each) for each in zip(*keys, strict=True)]
    names = key_names(len(child.own))
    values = dict(zip(names, arrays or [[] for _ in names], strict=True))
    return await complete(sender, child.level, await sender.fixed(child, child.statement, values))


def _keys(child: Child, parents: Rows) -> list[Any]:
    return list(dict.fromkeys(key for key in parents.keys(child.parent) if key is not None))
