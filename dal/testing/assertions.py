"""What a test demands of the statements that its code sends; a failure lists them with the lines that sent them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Executable, text
from sqlalchemy.ext.asyncio import AsyncConnection

from dal.database import Database
from dal.telemetry import StatementLog


@contextmanager
def assert_statements(exactly: int | None = None, *, max: int | None = None) -> Generator[StatementLog]:  # noqa: A002 # reads as what it is where it is used
    """Demand that the block sends *exactly* so many statements, or at most *max*, from all tasks together.

    A block that raises is not counted.
    """
    if (exactly is None) == (max is None):
        raise TypeError("assert_statements takes one number: how many exactly, or max=")
    with StatementLog(everywhere=True) as log:
        yield log
    wrong = len(log) != exactly if exactly is not None else max is not None and len(log) > max
    if wrong:
        expected = str(exactly) if exactly is not None else f"at most {max}"
        raise AssertionError(f"{len(log)} statements were sent, not {expected}:\n{log}")


async def assert_uses_index(where: Database | AsyncConnection, statement: Executable | str, index: str) -> None:
    """Demand that PostgreSQL plans to read *index* for *statement*, a statement without bound values or a `select()`.

    A table with a few rows is read whole, whatever its indexes: sequential scans are forbidden meanwhile, so this says
    that the index can serve the statement. Nothing is executed, and the connection is left as it was.
    """
    plan = await _plan(where, statement, "SET LOCAL enable_seqscan = off")
    used = {node.get("Index Name") for node in _nodes(plan)} - {None}
    if index not in used:
        raise AssertionError(f"{index!r} is not used, but {_listed(used)}:\n{_drawn(plan)}")


async def assert_plan_has_no(
    where: Database | AsyncConnection, statement: Executable | str, node: str, *, on: str | None = None
) -> None:
    """Demand that PostgreSQL's plan for *statement* has no *node*, such as `Seq Scan` or `Sort`, *on* that table.

    The plan is that for the rows and statistics that are there: fill the table, and ANALYZE it, or a sequential scan is
    what PostgreSQL rightly takes. Nothing is executed.
    """
    plan = await _plan(where, statement)
    found = [it for it in _nodes(plan) if it["Node Type"] == node and on in {None, it.get("Relation Name")}]
    if found:
        place = f" on {on!r}" if on else ""
        raise AssertionError(f"the plan has a {node}{place}:\n{_drawn(plan)}")


async def _plan(where: Database | AsyncConnection, statement: Executable | str, *settings: str) -> dict[str, Any]:
    if isinstance(where, Database):
        async with where.engine.connect() as connection:
            return await _plan(connection, statement, *settings)
    async with where.begin_nested() as savepoint:
        for setting in settings:
            await where.exec_driver_sql(setting)
        compiled = statement if isinstance(statement, str) else _literal(where, statement)
        plan = await where.scalar(text(f"EXPLAIN (FORMAT JSON) {compiled}".replace(":", "\\:")))
        await savepoint.rollback()  # also the settings
    top: dict[str, Any] = plan[0]["Plan"]
    return top


def _literal(connection: AsyncConnection, statement: Any) -> str:
    return str(statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))


def _nodes(plan: dict[str, Any]) -> Generator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _drawn(plan: dict[str, Any], depth: int = 0) -> str:
    names = (plan["Node Type"], plan.get("Index Name"), plan.get("Relation Name"))
    line = "  " * depth + " on ".join(name for name in names if name) + f"  (rows {plan['Plan Rows']})"
    return "\n".join([line, *(_drawn(child, depth + 1) for child in plan.get("Plans", []))])


def _listed(names: set[Any]) -> str:
    return ", ".join(sorted(map(repr, names))) or "no index"
