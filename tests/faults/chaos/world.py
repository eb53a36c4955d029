"""Where it all happens: a server of its own that may be ended, a network that may be cut, a small disk, a database.

The service is no superuser and comes through the network; whoever looks comes by the unix socket.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from tempfile import mkdtemp
from typing import Final
from uuid import uuid4

import asyncpg
from sqlalchemy import URL

from dal import Database, DatabaseConfig, PoolConfig
from dal.testing import EmbeddedServer, Network
from dal.testing.background import Background
from dal.testing.server import unshared_server
from tests.faults.chaos import models
from tests.looking import connect

APPLICATION: Final = "chaos"
SIZE: Final = 5
# Short, as a service has it whose callers wait no longer than a second or two.
POOL: Final = PoolConfig(
    size=SIZE,
    checkout_timeout_s=1.0,
    connect_timeout_s=0.5,
    idle_in_transaction_s=5.0,
    leak_after_s=20.0,
    admission_target_s=0.2,
)
_DISK_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class World:
    """A server, the way to it, a small disk if this machine lends one, and the address of whoever looks."""

    server: EmbeddedServer
    network: Network
    disk: Path | None
    outside_url: URL  # the database for a superuser, past the network
    lock: asyncio.Lock  # for whoever stops the server

    @asynccontextmanager
    async def outside(self) -> AsyncGenerator[asyncpg.Connection]:
        """Lend a superuser's connection; raises what asyncpg raises while the server is down."""
        connection = await connect(self.outside_url, server_settings={"application_name": "outside"}, timeout=5)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)


@contextmanager
def made() -> Generator[tuple[World, Database]]:
    """Make a world with a filled database, and the service's `Database` in it, which is not open yet."""
    with ExitStack() as stack:
        server = stack.enter_context(unshared_server("chaos", is_new=True))
        disk = stack.enter_context(_small_disk(server))
        database = f"chaos_{uuid4().hex}"
        password = token_urlsafe(16)
        asyncio.run(_fill(server, database, password, disk))
        stack.callback(lambda: asyncio.run(_drop(server, database)))
        background = stack.enter_context(Background())
        url = server.tcp_url.set(database=database, username=database, password=password)
        network = Network(background, url)
        stack.callback(network.close)
        config = DatabaseConfig(url=network.url, pool=POOL, application_name=APPLICATION)
        yield World(server, network, disk, server.url.set(database=database), asyncio.Lock()), Database(config)


@contextmanager
def _small_disk(server: EmbeddedServer) -> Generator[Path | None]:
    """Lend a folder that holds little, if this user may mount one."""
    folder = Path(mkdtemp(prefix="dal-small-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=0777", "tmpfs", str(folder)]
    is_mounted = sys.platform == "linux" and os.geteuid() == 0 and _run(mount)
    try:
        if is_mounted:
            (folder / "data").mkdir()
            os.chown(folder / "data", *server.owner)
        yield folder / "data" if is_mounted else None
    finally:
        if is_mounted:
            _run(["umount", "--lazy", str(folder)])
        folder.rmdir()


def _run(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def _fill(server: EmbeddedServer, database: str, password: str, disk: Path | None) -> None:
    admin = await connect(server.url)
    await admin.execute(f"CREATE ROLE {database} LOGIN PASSWORD '{password}'")
    await admin.execute(f"CREATE DATABASE {database}")
    for setting in ("deadlock_timeout = '50ms'", "work_mem = '64kB'", "temp_file_limit = -1"):
        await admin.execute(f"ALTER DATABASE {database} SET {setting}")
    if disk is not None:
        await admin.execute(f"CREATE TABLESPACE {database} LOCATION '{disk}'")
    await admin.close()
    async with Database(server.url.set(database=database), pool=None) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(models.Base.metadata.create_all)
        await db.execute_script(_script(database, is_small=disk is not None))


async def _drop(server: EmbeddedServer, database: str) -> None:
    admin = await connect(server.url)
    await admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    await admin.execute(f"DROP TABLESPACE IF EXISTS {database}")
    await admin.execute(f"DROP ROLE {database}")
    await admin.close()


def _script(role: str, *, is_small: bool) -> str:
    return f"""
        INSERT INTO chaos_account SELECT n, {models.BALANCE}, 'account ' || n
        FROM generate_series(1, {models.ACCOUNTS}) n;
        INSERT INTO chaos_shelf SELECT n, 'shelf ' || n FROM generate_series(1, {models.SHELVES}) n;
        INSERT INTO chaos_book SELECT n, (n - 1) / {models.BOOKS} + 1
        FROM generate_series(1, {models.SHELVES * models.BOOKS}) n;
        INSERT INTO chaos_item (rank, is_stable)
        SELECT n % 50, true FROM generate_series(1, {models.STABLE_ITEMS}) n;
        INSERT INTO chaos_secret SELECT n, n % {models.TENANTS} + 1
        FROM generate_series(1, {models.TENANTS * models.SECRETS}) n;
        ALTER TABLE chaos_secret ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON chaos_secret USING (tenant = nullif(current_setting('app.tenant', true), '')::int);
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
        GRANT CREATE ON SCHEMA public TO {role};
        {f"ALTER TABLE chaos_note SET TABLESPACE {role};" if is_small else ""}
        ANALYZE;
    """  # names and numbers of ours
