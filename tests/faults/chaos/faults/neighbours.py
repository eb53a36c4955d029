"""Faults by others on the same server: no room, no connections, locks, another schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from tests.faults.chaos.faults.scene import Scene, yes
from tests.faults.chaos.models import ACCOUNTS
from tests.faults.chaos.world import APPLICATION
from tests.looking import connect


@asynccontextmanager
async def disk(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Leave no room for a table, or none for temporary files."""
    folder = scene.world.disk
    if way == "table" and folder is not None:
        file = folder.parent / "filler"
        async with scene.world.lock:  # a server that crashes on a full disk does not come up again
            try:
                await asyncio.to_thread(_fill, file)
                yield yes
            finally:
                file.unlink(missing_ok=True)
                async with scene.world.outside() as outside:
                    await outside.execute("TRUNCATE chaos_note")
    else:
        async with _limited(scene, "temp_file_limit", "64kB"):
            yield yes


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(1 << 16)):
            pass


@asynccontextmanager
async def _limited(scene: Scene, name: str, value: str) -> AsyncGenerator[None]:
    async with scene.world.lock, scene.world.outside() as outside:
        await outside.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await outside.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        async with scene.world.lock, scene.world.outside() as outside:
            await outside.execute(f"ALTER SYSTEM RESET {name}")
            await outside.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def connections(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:  # there is one way
    """Take every connection that the server has left, and end one of the service's."""
    async with AsyncExitStack() as stack:
        async with scene.world.lock:
            kill = await stack.enter_async_context(scene.world.outside())
            taken = 0
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    connection = await connect(scene.world.outside_url, timeout=5)
                    stack.push_async_callback(_close, connection)
                    taken += 1
            await kill.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 LIMIT 2",
                APPLICATION,
            )
        yield lambda: taken > 0


async def _close(connection: asyncpg.Connection) -> None:
    connection.terminate()


@asynccontextmanager
async def lock(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Hold locks that the service wants, for longer than it waits."""
    statement = (
        "LOCK TABLE chaos_written IN ACCESS EXCLUSIVE MODE"
        if way == "table"
        else f"SELECT FROM chaos_account WHERE id <= {ACCOUNTS // 2} ORDER BY id FOR UPDATE"  # a number
    )
    async with scene.world.outside() as outside:
        transaction = outside.transaction()
        await transaction.start()
        is_held = True
        try:
            await outside.execute("SET LOCAL lock_timeout = '2s'")
            await outside.execute(statement)
        except asyncpg.PostgresError:
            is_held = False
        yield lambda: is_held
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            await transaction.rollback()


@asynccontextmanager
async def schema(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """Change a table under the service's prepared statements; it names its columns, and does not know the new one."""
    is_done = True
    async with scene.world.outside() as outside:
        await outside.execute("SET lock_timeout = '1s'")
        verb = "ADD COLUMN IF NOT EXISTS" if way == "column added" else "DROP COLUMN IF EXISTS"
        table = scene.chance.choice(["chaos_account", "chaos_shelf", "chaos_written", "chaos_item"])
        try:
            await outside.execute(f"ALTER TABLE {table} {verb} added {'text' if 'ADD' in verb else ''}")
        except asyncpg.PostgresError:
            is_done = False
    yield lambda: is_done
