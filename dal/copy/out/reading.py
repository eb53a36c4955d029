"""A SELECT that is read by COPY: in whose transaction, what it has for columns, and the blocks that the server sends.

Refuses: knowing forms and files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import ARRAY, Select, Table, event, inspect, select
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, ORMExecuteState
from sqlalchemy.orm.util import AliasedInsp

from dal.copy.out.batches import Column
from dal.copy.out.literals import with_literals
from dal.copy.out.sending import Take, sent
from dal.copy.translation import refuse_translation
from dal.errors import CopyError, raise_named
from dal.hooks import is_session_hooked
from dal.projection import ProjectionSource
from dal.session import driver_in_transaction
from dal.telemetry import Statement, statement_sent

# A SELECT, a mapped class or a table, for all of its rows.
What: TypeAlias = Select[Any] | type[Any] | Table

# Makes what is sent of the SELECT's text.
Query: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Reading:
    """A SELECT on its connection, prepared."""

    columns: Sequence[Column]
    _driver: asyncpg.Connection
    _prepared: Any
    _arguments: Sequence[Any]
    _hide_parameters: bool

    def noted(self, query: Query) -> AbstractContextManager[Statement | None]:
        """Note what `send` is to send, as sent by the line of the application that this task is at."""
        return statement_sent(f"COPY ({query(self._prepared.get_query())}) TO STDOUT", self._arguments)

    async def send(
        self, query: Query, options: dict[str, Any], take: Take, note: AbstractContextManager[Statement | None]
    ) -> int:
        """Have the server send what *query* makes of the SELECT, give it to *take* in blocks, and count the rows.

        The server waits while *take* does. Raises `TakerFailed`.
        """
        try:
            with note as statement:
                text = query(await with_literals(self._driver, self._prepared, self._arguments))
                tag = await sent(self._driver, text, options, take)
                rows = int(tag.removeprefix("COPY "))
                if statement:
                    statement.rows = rows
        except Exception as error:
            raise_named(
                error,
                driver=self._driver,
                parameters=self._arguments,
                hide_parameters=self._hide_parameters,
                disconnected=self._driver.is_closed(),
            )
            raise
        return rows


@asynccontextmanager
async def reading(source: ProjectionSource, what: What) -> AsyncGenerator[Reading]:
    """Prepare *what* on the connection that *source* reads on.

    In a unit of work, in a savepoint: what fails leaves the transaction usable. Otherwise in a transaction that is
    read-only, and sees all as at one moment.
    """
    whole: Select[Any] = select(what) if isinstance(what, type | Table) else what
    plain = _of_columns(whole)
    async with source.streaming() as reads, reads.reading() as session:
        await refuse_translation(session, plain.get_execution_options())
        statement = await _as_hooked(session, plain)
        _, sql, arguments = source.statements.given(statement, {})
        async with _savepoint(session, needed=source.is_transaction), driver_in_transaction(session) as driver:
            # Anew each time: what the connection keeps may be of a table that was altered since.
            prepared = await driver.prepare(sql)
            columns = _columns(prepared.get_attributes(), statement)
            yield Reading(columns, driver, prepared, arguments, source.statements.hide_parameters)


def _of_columns(statement: Select[Any]) -> Select[Any]:
    """Select the columns of each entity in its place: no eager loads, and the columns' names in the database."""
    described = [each["expr"] for each in statement.column_descriptions]
    columns = [column for each in described for column in _columns_of(each)]
    if columns == described:
        return statement
    only: Any = statement.with_only_columns(*columns, maintain_column_froms=True)
    return only  # type: ignore[no-any-return] # SQLAlchemy's types count columns


def _columns_of(selected: Any) -> Sequence[Any]:
    found = inspect(selected, raiseerr=False)
    if not isinstance(found, Mapper | AliasedInsp):
        return [selected]
    return [getattr(selected, attribute.key) for attribute in found.mapper.column_attrs]


async def _as_hooked(session: AsyncSession, statement: Select[Any]) -> Select[Any]:
    """Give *statement* as it is after all listeners to do_orm_execute: they may say which rows are to be seen."""
    if not is_session_hooked(session.sync_session):
        return statement
    seen: list[Any] = []

    def stop(state: ORMExecuteState) -> IteratorResult[Any]:
        seen.append(state.statement)
        return IteratorResult(SimpleResultMetaData([]), iter(()))

    event.listen(session.sync_session, "do_orm_execute", stop)
    try:
        await session.execute(statement)
    finally:
        event.remove(session.sync_session, "do_orm_execute", stop)
    if not seen:
        raise CopyError(
            "a listener to do_orm_execute answers the statement by itself: there is nothing for COPY to read."
        )
    return seen[0]  # type: ignore[no-any-return] # a listener may have put anything there


def _savepoint(session: AsyncSession, *, needed: bool) -> AbstractAsyncContextManager[Any]:
    return session.begin_nested() if needed else nullcontext()


def _columns(attributes: Sequence[Any], statement: Select[Any]) -> list[Column]:
    twice = [name for name, count in Counter(each.name for each in attributes).items() if count > 1]
    if twice:
        raise CopyError(f"several columns are called {', '.join(twice)}: give each a name of its own by label().")
    of_statement: Any = statement.selected_columns
    selected = list(of_statement)
    if len(selected) != len(attributes):  # it selects texts, or stars
        selected = [None] * len(attributes)
    return [_column(each, by) for each, by in zip(attributes, selected, strict=True)]


def _column(attribute: Any, selected: Any) -> Column:
    name = attribute.type.name if attribute.type.schema == "pg_catalog" else None
    is_array = attribute.type.name.endswith("[]")
    kind = getattr(selected, "type", None)
    if is_array and isinstance(kind, ARRAY) and (kind.dimensions or 1) > 1:
        return Column(attribute.name, "text", is_array=False, selected=None)  # in PostgreSQL's own form
    return Column(attribute.name, name.removesuffix("[]") if name else None, is_array, selected)
