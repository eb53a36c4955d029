"""Faults of the server: backends and the whole of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Container
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg

from dal.errors import ConfigError
from tests.faults.chaos.faults.scene import Scene, yes
from tests.faults.chaos.world import APPLICATION
from tests.looking import backends


@asynccontextmanager
async def backend(scene: Scene, way: str) -> AsyncGenerator[Callable[[], bool]]:
    """End backends of the service's, or what they run."""
    pids: list[int] = []
    async with scene.world.lock, scene.world.outside() as outside:
        rows = [row for row in await backends(outside, APPLICATION) if way != "in transaction" or _in_transaction(row)]
        if rows:
            chosen = rows if way in {"all", "cancelled"} else [scene.chance.choice(rows)]
            pids = [row["pid"] for row in chosen]
        if way == "killed":
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)  # of which the postmaster makes a restart of all
        else:
            function = "pg_cancel_backend" if way == "cancelled" else "pg_terminate_backend"
            await outside.execute(f"SELECT {function}(pid) FROM unnest($1::int[]) AS pid", pids)
        if way == "killed" and pids:
            await _until_up(scene, gone={row["pid"] for row in rows})
    yield lambda: bool(pids)


def _in_transaction(row: Any) -> bool:
    return (row["state"] or "").startswith("idle in transaction")


@asynccontextmanager
async def server(scene: Scene, way: Any) -> AsyncGenerator[Callable[[], bool]]:
    """Stop the server, and start it again."""
    async with scene.world.lock:
        try:
            await asyncio.to_thread(scene.world.server.halt, way)
        except ConfigError:  # one that is told to stop while it recovers may never do it
            await asyncio.to_thread(scene.world.server.halt, "kill")
        try:
            yield yes
        finally:
            await asyncio.to_thread(scene.world.server.restart)
            await _until_up(scene)


_TRIES_S: Final = 10.0


async def _until_up(scene: Scene, gone: Container[int] = ()) -> None:
    """Wait until the server answers, with none of the backends that are *gone* in a moment."""
    async with asyncio.timeout(_TRIES_S):
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                async with scene.world.outside() as outside:
                    if not any(row["pid"] in gone for row in await backends(outside, APPLICATION)):
                        return
            await asyncio.sleep(0.01)
