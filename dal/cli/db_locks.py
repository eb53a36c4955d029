"""Who waits for a lock, and for whom."""

from __future__ import annotations

import json
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dal.cli.failing import carried_out
from dal.cli.printing import printable
from dal.config import DatabaseConfig
from dal.database import Database
from dal.migrations.migrator import LOCK

# Of this database: those who wait, and those for whom they wait.
_WAITS: Final = """
    WITH waits AS (
        SELECT pid, pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) AS blocked_by FROM pg_stat_activity
        WHERE datname = current_database() AND pg_catalog.cardinality(pg_catalog.pg_blocking_pids(pid)) > 0
    )
    SELECT a.pid, a.application_name AS application, a.state,
        (SELECT pg_catalog.array_agg(DISTINCT blocked_by ORDER BY blocked_by)
            FROM waits w WHERE w.pid = a.pid) AS blocked_by,
        extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_s,
        extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS statement_s,
        pg_catalog.left(a.query, 200) AS statement
    FROM pg_stat_activity a
    WHERE a.pid IN (SELECT pid FROM waits UNION SELECT blocked_by FROM waits) ORDER BY a.xact_start NULLS LAST
"""
_MIGRATOR: Final = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $1 AND objid = $2 AND objsubid = $3
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def show_locks(config: DatabaseConfig, *, as_json: bool) -> None:
    """Print them, those whose transactions are the oldest first."""
    waits, migrator = carried_out(_seen(config), interrupted="interrupted.")
    if as_json:
        typer.echo(json.dumps({"migrator": migrator, "waits": waits}))
        return
    typer.echo(f"process {migrator} migrates." if migrator else "nobody migrates.")
    if not waits:
        typer.echo("nobody waits for a lock.")
        return
    shown = Table("process", "application", "state", "waits for", "transaction", "statement")
    for each in waits:
        shown.add_row(
            str(each["pid"]),
            Text(printable(each["application"] or "")),
            each["state"] or "",
            ", ".join(map(str, each["blocked_by"] or [])) or "nobody",
            "" if each["transaction_s"] is None else f"{each['transaction_s']:.1f} s",
            Text(printable(" ".join((each["statement"] or "").split()))),
        )
    Console(highlight=False).print(shown)


async def _seen(config: DatabaseConfig) -> tuple[list[dict[str, Any]], int | None]:
    async with Database(config) as db, db.checkout() as driver:
        waits = [dict(row) for row in await driver.fetch(_WAITS)]
        return waits, await driver.fetchval(_MIGRATOR, *LOCK.in_pg_locks)
