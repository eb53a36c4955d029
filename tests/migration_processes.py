"""Many processes that upgrade one database at once, while one of them is killed.

`python -m tests.migration_processes --rounds 10` is the whole of it; the suite runs two.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy import URL

from dal import Database, PoolConfig
from dal.migrations import upgrade
from dal.testing import EmbeddedServer
from tests.looking import connect
from tests.revisions import Revisions

PROCESSES: Final = 8
REVISIONS: Final = 12
ROWS: Final = 20_000
# What each revision does, and a row by which it is counted: twice would be twice there.
_STEPS: Final = (
    'op.add_column("ledger", sa.Column("c{n}", sa.Integer, server_default="{n}"))',
    'op.execute("UPDATE ledger SET amount = amount + 1")',
    'op.create_index("ix_{n}", "ledger", ["amount"])',
    "with op.get_context().autocommit_block():\n"
    '    op.create_index("ix_{n}", "ledger", ["id"], postgresql_concurrently=True, if_not_exists=True)',
)


def write(folder: Path) -> Revisions:
    """Write the revisions."""
    revisions = Revisions(folder)
    revisions.add(
        "first",
        'op.execute("CREATE TABLE IF NOT EXISTS ledger (id int PRIMARY KEY, amount int)")\n'
        'op.execute("CREATE TABLE applied (revision text, at timestamptz DEFAULT clock_timestamp())")',
    )
    for n in range(REVISIONS):
        step = _STEPS[n % len(_STEPS)].format(n=n)
        count = f"op.execute(\"INSERT INTO applied (revision) VALUES ('{n}')\")"
        revisions.add(f"r{n}", f"{step}\n{count}")
    return revisions


@dataclass
class Rounds:
    """Rounds on one server; `killed` counts the processes that were there to be killed."""

    url: URL
    ini: Path
    rng: random.Random
    killed: int = 0

    async def run(self, *, rows: int) -> float:
        """Upgrade a database with so many rows by all processes at once, kill one, and look; gives the seconds."""
        await self._prepare(rows)
        started = time.monotonic()
        processes = [self._process() for _ in range(PROCESSES)]
        await asyncio.sleep(self.rng.uniform(0.5, 5))
        victim = self.rng.choice(processes)
        self.killed += victim.poll() is None
        victim.send_signal(signal.SIGKILL)
        codes = [await asyncio.to_thread(each.wait, 60) for each in processes]
        assert {code for each, code in zip(processes, codes, strict=True) if each is not victim} == {0}, codes
        seconds = time.monotonic() - started
        await self._check(rows)
        return seconds

    def _process(self) -> subprocess.Popen[bytes]:
        url = self.url.render_as_string(hide_password=False)
        return subprocess.Popen([sys.executable, "-m", "tests.migration_processes", "--upgrade", url, str(self.ini)])

    async def _prepare(self, rows: int) -> None:
        async with _connected(self.url) as look:
            await look.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            if rows:
                await look.execute("CREATE TABLE ledger (id int PRIMARY KEY, amount int)")
                await look.execute(f"INSERT INTO ledger SELECT n, n FROM generate_series(1, {rows}) AS n")

    async def _check(self, rows: int) -> None:
        async with _connected(self.url) as look:
            applied = [row[0] for row in await look.fetch("SELECT revision FROM applied ORDER BY at")]
            assert applied == [str(n) for n in range(REVISIONS)], applied
            assert await look.fetchval("SELECT version_num FROM alembic_version") == f"r{REVISIONS - 1}"
            added = sum(n % len(_STEPS) == 1 for n in range(REVISIONS))
            expected = rows * (rows + 1) // 2 + rows * added
            assert await look.fetchval("SELECT coalesce(sum(amount), 0) FROM ledger") == expected
            assert not await look.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid")


@asynccontextmanager
async def _connected(url: URL) -> AsyncGenerator[asyncpg.Connection]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _upgrade(url: str, ini: str) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as db:
        await upgrade(db, ini=Path(ini))


async def _all(server: EmbeddedServer, ini: Path, rounds: int) -> None:
    runs = Rounds(server.url, ini, random.Random(1))
    seconds = [await runs.run(rows=ROWS * (n % 2)) for n in range(rounds)]
    sys.stdout.write(
        f"{rounds} rounds of {PROCESSES} processes, {runs.killed} killed: {REVISIONS + 1} revisions, each applied "
        f"once; {max(seconds):.1f} s at the longest\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Upgrade by many processes, and kill one of them.")
    parser.add_argument("--upgrade", nargs=2, metavar=("URL", "INI"))
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    if given.upgrade:
        asyncio.run(_upgrade(*given.upgrade))
        return
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer("migrations") as server:
        asyncio.run(_all(server, write(Path(folder)).ini, given.rounds))


if __name__ == "__main__":
    main()
