"""What writers wait while a migration waits for a report: `python -m bench.migrations`.

A report reads a table for `REPORT_S` seconds in one transaction. Meanwhile a revision adds a column to the table, which
the report must have let go of first, and a service goes on to insert a row every `EVERY_S` seconds, each on a
connection of its own. Whoever waits for the strongest lock keeps away all who come after it.

- alembic: `alembic upgrade head` by the env.py of Alembic's own template for asyncio, as its documentation has it.
- dal: `dal.migrations.upgrade`, whose statements give up after 1.5 s, and come back.

What is kept is how long each insert took, from the one that begins with the migration to the end of the report; and by
how much the migration outlasted the report. Each round begins with an empty table.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config

from bench.plot import bars
from bench.report import RESULTS, Contender, Report, alternate, machine_facts
from dal import Database
from dal.migrations import upgrade
from dal.testing import EmbeddedServer

REPORT_S: Final = 5.0
EVERY_S: Final = 0.1
ROUNDS: Final = 5

_REVISION: Final = """\
import sqlalchemy as sa
from alembic import op

revision, down_revision = "1", None


def upgrade():
    op.add_column("busy", sa.Column("more", sa.Integer))
"""
_BY_DAL: Final = "from dal.migrations import run_env\n\nrun_env(None)\n"
# As `alembic init -t async` writes it, but for logging and the offline half.
_BY_ALEMBIC: Final = """\
import asyncio

from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

from alembic import context


def do_run_migrations(connection):
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()


async def run_async_migrations():
    connectable = async_engine_from_config(
        context.config.get_section(context.config.config_ini_section, {}), prefix="sqlalchemy.", poolclass=pool.NullPool
    )
    async with connectable.connect() as connection:
        await connection.run_sync(do_run_migrations)
    await connectable.dispose()


asyncio.run(run_async_migrations())
"""


@dataclass
class Rounds:
    """Rounds on one server, and what came of them."""

    server: EmbeddedServer
    report_s: float
    waits_ms: dict[str, list[float]] = field(default_factory=dict)
    after_s: dict[str, list[float]] = field(default_factory=dict)

    async def run(self, name: str, migrate: Callable[[], Awaitable[object]]) -> float:
        """Report, migrate and insert at once; gives the seconds from the migration's begin to its end."""
        async with (
            _connected(self.server) as report,
            asyncpg.create_pool(_dsn(self.server), min_size=60, max_size=60) as pool,
        ):
            await report.execute("DROP TABLE IF EXISTS busy, alembic_version; CREATE TABLE busy (id int)")
            await report.execute("BEGIN; SELECT * FROM busy")
            started = time.perf_counter()
            migration = asyncio.ensure_future(migrate())
            inserts = []
            while time.perf_counter() - started < self.report_s:
                inserts.append(asyncio.create_task(_insert(pool)))
                await asyncio.sleep(EVERY_S)
            ended = time.perf_counter()
            await report.execute("COMMIT")
            await migration
            self.after_s.setdefault(name, []).append(time.perf_counter() - ended)
            self.waits_ms.setdefault(name, []).extend(await asyncio.gather(*inserts))
        return time.perf_counter() - started


def _dsn(server: EmbeddedServer) -> str:
    return server.tcp_url.set(drivername="postgresql").render_as_string(hide_password=False)


@asynccontextmanager
async def _connected(server: EmbeddedServer) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(_dsn(server))
    try:
        yield connection
    finally:
        await connection.close()


async def _insert(pool: asyncpg.pool.Pool) -> float:
    started = time.perf_counter()
    await pool.execute("INSERT INTO busy VALUES (1)")
    return (time.perf_counter() - started) * 1000


def _written(folder: Path, name: str, env: str, url: str) -> Path:
    """Write a folder of one revision."""
    versions = folder / name / "versions"
    versions.mkdir(parents=True)
    (versions / "1.py").write_text(_REVISION)
    (versions.parent / "env.py").write_text(env)
    ini = versions.parent / "alembic.ini"
    spelt = url.replace("%", "%%")
    ini.write_text(f"[alembic]\nscript_location = %(here)s\npath_separator = os\nsqlalchemy.url = {spelt}\n")
    return ini


async def measure(rounds: int, report_s: float, results: Path) -> None:
    """Run all rounds, print, and keep the results."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer("bench-migrations") as server:
        runs = Rounds(server, report_s)
        async with Database(server.url) as db:
            url = server.tcp_url.render_as_string(hide_password=False)
            by_alembic = _written(Path(folder), "alembic", _BY_ALEMBIC, url)
            by_dal = _written(Path(folder), "dal", _BY_DAL, url)
            ways: dict[str, Callable[[], Awaitable[object]]] = {
                "alembic": lambda: asyncio.to_thread(command.upgrade, Config(by_alembic), "head"),
                "dal": lambda: upgrade(db, ini=by_dal),
            }
            contenders = [Contender(name, partial(runs.run, name, do)) for name, do in ways.items()]
            report = Report("migrations", machine_facts(["alembic", "sqlalchemy", "asyncpg"]))
            report.rounds_s = await alternate(contenders, rounds)
    _say(report, runs, results)


def _say(report: Report, runs: Rounds, results: Path) -> None:
    p99 = {name: quantiles(waits, n=100)[98] for name, waits in runs.waits_ms.items()}
    report.beside("insert_p50_ms", {name: quantiles(waits, n=100)[49] for name, waits in runs.waits_ms.items()})
    report.beside("insert_p99_ms", p99)
    report.beside("insert_longest_ms", {name: max(waits) for name, waits in runs.waits_ms.items()})
    report.beside("after_the_report_s", {name: max(each) for name, each in runs.after_s.items()})
    report.ratio("insert_p99_ms_dal", p99["dal"], "1550: lock_timeout and 50 ms")
    report.write(results)
    bars(
        results / "migrations.svg",
        title=f"ALTER TABLE while a report reads the table for {runs.report_s:.0f} s",
        axis="milliseconds that an insert waits (median, least and most)",
        measured={"alembic upgrade head": runs.waits_ms["alembic"], "dal": runs.waits_ms["dal"]},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what writers wait for a migration.")
    parser.add_argument("--tiny", action="store_true", help="a few seconds in all; keeps no results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) if given.tiny else RESULTS
        asyncio.run(measure(1 if given.tiny else ROUNDS, 0.5 if given.tiny else REPORT_S, results))


if __name__ == "__main__":
    main()
