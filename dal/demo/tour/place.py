"""Where the tour happens: a schema of its own, on whatever server there is, gone afterwards."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from sqlalchemy import URL

from dal import Database, DatabaseConfig, PoolConfig


@dataclass(frozen=True, slots=True)
class Place:
    """What every step gets: the database with the schema on its search path, the data files, and a terminal."""

    db: Database
    files: Path
    console: Console

    def another(self, pool: PoolConfig) -> Database:
        """Make a second database on the same schema, with a pool of its own."""
        return Database(dataclasses.replace(self.db.config, pool=pool))


@asynccontextmanager
async def own_schema(url: URL) -> AsyncGenerator[DatabaseConfig]:
    """Lend a configuration whose search path is a new, empty schema; dropped afterwards, also after a cancellation."""
    schema = f"dal_demo_{secrets.token_hex(4)}"
    config = DatabaseConfig.from_url(url, pool=PoolConfig(size=1))
    async with Database(config) as db:
        await db.execute_script(f"CREATE SCHEMA {schema}")
    try:
        yield dataclasses.replace(config, pool=PoolConfig(), server_settings={"search_path": schema})
    finally:
        await asyncio.shield(_drop(config, schema))


async def _drop(config: DatabaseConfig, schema: str) -> None:
    async with Database(config) as db:
        await db.execute_script(f"SET client_min_messages = warning; DROP SCHEMA {schema} CASCADE")
