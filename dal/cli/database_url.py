"""The database that a command was given, by --url or the environment."""

from __future__ import annotations

from dal.cli.usage import Usage
from dal.config import DatabaseConfig
from dal.pool_config import PoolConfig


def database_of(url: str | None, connections: int = 1) -> DatabaseConfig:
    """Take *url* for so many connections; raises `Usage` if there is none, and `ConfigError` if it is none."""
    if not url:
        raise Usage("no database: give --url, or set DAL_DATABASE_URL, such as postgresql://user@host:5432/database.")
    return DatabaseConfig.from_url(url, pool=PoolConfig(size=connections, min_idle=0))
