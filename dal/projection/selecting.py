"""Reads what any statement gives into a type, by the names of its columns.

What does not fit a text is found before it is run, but where a hook has SQLAlchemy send it: then only the rows tell.
Refuses: statements that are no SELECT and no text, whose defaults SQLAlchemy would have to fill in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Select

from dal.hooks import changes_statements
from dal.projection.assembly import Rows, assemble
from dal.projection.columns import Described, described, plan_of_columns, refuse_statement, refuse_type
from dal.projection.compiling import IS_UNDERSTOOD, AnySelect, Compiled
from dal.projection.plan import Level
from dal.projection.planning import plan_of
from dal.projection.reading import OnDriver, ProjectionSource, read


async def select_into(
    source: ProjectionSource, type_: Any, statement: AnySelect, parameters: Mapping[str, Any]
) -> list[Any]:
    """Read what *statement* gives into *type_*: a round trip, and one for each collection of a mapped class."""
    refuse_statement(statement)
    if not IS_UNDERSTOOD:
        return await _read_by_session(source, type_, statement, parameters, described(statement))
    compiled, sql, arguments = source.statements.given(statement, parameters)
    if compiled.described is None:
        compiled.described = described(statement)
    what: Described = compiled.described
    if what.entity_for(type_) is None and _is_one_value_each(compiled, what.names) and _is_plain(statement):
        level = _level(type_, what)
        async with source.reading_driver() as driver:
            if driver is not None:
                on_driver = OnDriver(driver, source.statements)
                if level is None:
                    return await _read_text(on_driver, type_, compiled, sql, arguments)
                return assemble(level, await on_driver.given(compiled, sql, arguments))
    return await _read_by_session(source, type_, statement, parameters, what)


async def _read_by_session(
    source: ProjectionSource, type_: Any, statement: AnySelect, parameters: Mapping[str, Any], what: Described
) -> list[Any]:
    """Have SQLAlchemy send what has nothing to do with columns alone, or what a hook wants to hear of."""
    entity = what.entity_for(type_)
    if isinstance(statement, Select) and entity is not None:
        return await read(source, plan_of(entity, type_), statement.params(parameters) if parameters else statement)
    level = _level(type_, what)
    async with source.reading() as session:
        result = await session.execute(statement, dict(parameters))
        if level is None:
            is_empty = isinstance(result, CursorResult) and not result.returns_rows
            level = plan_of_columns(type_, () if is_empty else tuple(result.keys()))
        return assemble(level, Rows(result.all()))


def _level(type_: Any, what: Described) -> Level | None:
    """Plan what can be planned before anything is sent: of a text, nothing but the type."""
    refuse_type(type_)
    return None if what.names is None else plan_of_columns(type_, what.names)


async def _read_text(
    on_driver: OnDriver, type_: Any, compiled: Compiled, sql: str, arguments: Sequence[Any]
) -> list[Any]:
    """Read what only the server knows the columns of, asked once for each text: before it is run."""
    if compiled.processors is None:
        await on_driver.learn(compiled, sql)
    plan_of_columns(type_, compiled.columns)
    rows = await on_driver.given(compiled, sql, arguments)
    if rows.rows and tuple(rows.rows[0].keys()) != compiled.columns:  # a table under its `*` was altered
        await on_driver.learn(compiled, sql)
        rows = Rows(rows.rows, compiled.processors)
    return assemble(plan_of_columns(type_, compiled.columns), rows)


def _is_one_value_each(compiled: Compiled, names: Sequence[str | None] | None) -> bool:
    """Tell whether each column is one value: a composite, and a bundle, is several."""
    return names is None or len(names) == compiled.width


def _is_plain(statement: AnySelect) -> bool:
    return not changes_statements(statement.get_execution_options())
