"""Whether the server has as many connections as the pools of all processes may open.

Refuses: changing a number; somebody has to decide whether to raise the server's or to lower the pool's.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from dal.pool.ledger import logger
from dal.pool_config import PoolConfig

# What is left for this role here, by the server, by the role and by the database; the latter two are -1 without limit.
_LIMITS: Final = """
    SELECT pg_catalog.current_setting('max_connections')::int
         - pg_catalog.current_setting('superuser_reserved_connections')::int
         - coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int AS server,
           (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role,
           (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database
"""


async def warn_of_limits(driver: asyncpg.Connection, config: PoolConfig) -> None:
    """Compare *config* with what the server behind *driver* allows, and warn with the numbers; two round trips."""
    [limits] = await driver.fetch(_LIMITS)
    warning = too_many(config, {name: limit for name, limit in limits.items() if limit >= 0})
    if warning is not None:
        logger.warning(warning)


def too_many(config: PoolConfig, limits: dict[str, int]) -> str | None:
    """Say that the pools of all processes do not fit into the least of *limits*; None if they do."""
    each = config.size + config.max_overflow
    name, limit = min(limits.items(), key=lambda item: item[1])
    if config.processes * each <= limit:
        return None
    return (
        f"{config.processes} x {each} connections cannot fit: the {name} allows {limit}. "
        "Use PoolConfig.for_processes, raise the limit, or put a pooler such as PgBouncer between."
    )
