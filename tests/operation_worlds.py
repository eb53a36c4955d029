"""What the tests of operations look at: a populated table, a writer who goes on writing, and kills at a known state."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection

from dal import Database
from dal.migrations import downgrade, offline_sql, upgrade
from tests.looking import backends, connect, until, until_none_left
from tests.revisions import Revisions

ROWS: Final = 20_000
MIGRATOR: Final = "dal migrations"
STRONG: Final = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")

_ENV: Final = """
from alembic import context
from sqlalchemy import MetaData

run_env(context.config.attributes.get("metadata", MetaData()))
"""
_MAKO: Final = """
import sqlalchemy as sa
from alembic import op
${imports}

revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}

def upgrade():
    ${upgrades or "pass"}

def downgrade():
    ${downgrades or "pass"}
"""


class World:
    """A database with table `item`, empty of everything else, two looks at it from outside, and its revisions."""

    def __init__(self, db: Database, outside: asyncpg.Connection, other: asyncpg.Connection, folder: Path) -> None:
        self.db, self.outside, self.other = db, outside, other
        self.revisions = Revisions(folder, env=_ENV)
        self.path = folder
        self._revisions = 0
        (folder / "script.py.mako").write_text(_MAKO)

    @property
    def ini(self) -> Path:
        """The configuration of Alembic."""
        return self.revisions.ini

    def add(self, up: str, down: str = "pass") -> None:
        """Write a revision after the last one: 0001, 0002 and so on."""
        self._revisions += 1
        self.path = self.revisions.add(f"{self._revisions:04}", up, down)

    def rewrite(self, old: str, new: str) -> None:
        """Change the last revision."""
        self.path.write_text(self.path.read_text().replace(old, new))

    async def up(self, **options: Any) -> None:
        """Upgrade to head."""
        await upgrade(self.db, ini=self.ini, **options)

    async def down(self) -> None:
        """Downgrade by one revision."""
        await downgrade(self.db, "-1", ini=self.ini)

    async def up_down_up(self) -> None:
        """Upgrade, downgrade, and upgrade again."""
        await self.up()
        await self.down()
        await self.up()

    async def script(self) -> str:
        """Write the script of the upgrade."""
        return await asyncio.to_thread(offline_sql, ini=self.ini)

    async def value(self, query: str, *arguments: Any) -> Any:
        """Read one value from outside."""
        return await self.outside.fetchval(query, *arguments)

    async def at(self) -> Any:
        """Say the revision that the database is at."""
        return await self.value("SELECT max(version_num) FROM alembic_version")

    async def runs(self, words: str) -> int:
        """Wait until the migrator runs a statement with *words*; give its process."""
        return await self._seen(lambda row: row["state"] == "active" and words in row["query"])

    async def waits_for_lock(self, words: str) -> int:
        """Wait until a statement of the migrator with *words* waits for a lock; give its process."""
        return await self._seen(lambda row: row["wait_event_type"] == "Lock" and words in row["query"])

    async def _seen(self, is_it: Callable[[Any], bool]) -> int:
        found: list[int] = []

        async def seen() -> bool:
            found.extend(row["pid"] for row in await backends(self.outside, MIGRATOR) if is_it(row))
            return bool(found)

        await until(seen)
        return found[0]

    async def kill_at(self, words: str) -> None:
        """Kill the upgrade that waits for a lock in a statement with *words*, and see it fail."""
        upgrading = asyncio.create_task(self.up())
        pid = await self.waits_for_lock(words)
        await self.outside.execute("SELECT pg_terminate_backend($1)", pid)
        await asyncio.wait([upgrading])
        failure = upgrading.exception()
        assert failure is not None
        raise failure

    async def up_to_nothing(self) -> None:
        """Upgrade by a revision that changes nothing: what is compared must be at head."""
        self.add("pass")
        await self.up()

    async def up_in_a_transaction(self) -> None:
        """Upgrade on a connection that is in a transaction already."""

        def run(connection: Connection) -> None:
            command.upgrade(Config(self.ini, attributes={"connection": connection}), "head")

        async with self.db.engine.begin() as connection:
            await connection.run_sync(run)

    async def run_script(self, script: str) -> None:
        """Run a script as psql does: one statement after the other."""
        for statement in re.findall(r"((?:\$dal\$.*?\$dal\$|.)+?);\n", script, re.DOTALL):
            await self.outside.execute(statement)

    async def database(self) -> str:
        """Quote the name of the database."""
        return str(await self.value("SELECT quote_ident(current_database())"))

    async def until_there(self, relation: str) -> None:
        """Wait until *relation* can be seen."""

        async def there() -> bool:
            # Not by to_regclass: in a transaction, a backend goes on to remember that there is none.
            return bool(await self.value("SELECT count(*) FROM pg_class WHERE relname = $1", relation))

        await until(there)

    async def until(self, condition: Any) -> None:
        """Wait for *condition*."""
        await until(condition)

    async def until_logged(self, caplog: pytest.LogCaptureFixture, words: str) -> None:
        """Wait for a line with *words*."""
        await until(lambda: words in caplog.text)

    async def wanted(self, pid: int) -> str:
        """Name the lock on table `item` that process *pid* waits for."""
        return str(
            await self.value(
                "SELECT mode FROM pg_locks WHERE pid = $1 AND NOT granted AND relation = 'item'::regclass", pid
            )
        )

    async def scans(self) -> int:
        """Count how often table `item` was read whole, once the migrator's connections are closed."""
        await until_none_left(self.outside, MIGRATOR)
        await self.outside.execute("SELECT pg_stat_clear_snapshot()")
        return int(await self.value("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'item'"))

    def version(self) -> int:
        """Say the server's version."""
        return int(self.outside.get_server_version().major)

    async def locks(self, pid: int, table: str = "item") -> set[str]:
        """Name the locks that process *pid* holds on *table*."""
        rows = await self.outside.fetch(
            "SELECT mode FROM pg_locks WHERE pid = $1 AND granted AND relation = to_regclass($2)", pid, table
        )
        return {row["mode"] for row in rows}


@dataclass
class Writer:
    """Inserts and updates one row after the other, and says how long the slowest took."""

    writes: int = 0
    longest_s: float = 0.0

    async def write(self, connection: asyncpg.Connection) -> None:
        """Write for ever."""
        while True:
            started = time.monotonic()
            await connection.execute("INSERT INTO item (name, note) VALUES ('w', 'w')")
            await connection.execute("UPDATE item SET touched = touched + 1 WHERE id = $1", 1 + self.writes % 50)
            self.longest_s = max(self.longest_s, time.monotonic() - started)
            self.writes += 1


@asynccontextmanager
async def writing(connection: asyncpg.Connection) -> AsyncGenerator[Writer]:
    """Have somebody write for the length of the block; what stops him fails the test."""
    writer = Writer()
    task = asyncio.create_task(writer.write(connection))
    try:
        await until(lambda: writer.writes > 0 or task.done())
        yield writer
        before = writer.writes
        await until(lambda: writer.writes > before or task.done())
    finally:
        task.cancel()
        [end] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(end, asyncio.CancelledError), end


async def populate(connection: asyncpg.Connection, rows: int = ROWS) -> None:
    """Make table `item` of *rows*."""
    await connection.execute(
        "CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, note text, "
        "touched int NOT NULL DEFAULT 0)"
    )
    await connection.execute("INSERT INTO item (name, note) SELECT 'n' || n, 'o' FROM generate_series(1, $1) n", rows)
    await connection.execute("ANALYZE item")


@asynccontextmanager
async def lent(url: URL, application_name: str) -> AsyncGenerator[asyncpg.Connection]:
    """Lend a connection of asyncpg's own."""
    connection = await connect(url, server_settings={"application_name": application_name})
    try:
        yield connection
    finally:
        await connection.close()
