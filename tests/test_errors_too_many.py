"""A server that has no connection left says so."""

import pytest

from dal import Database, PoolConfig
from dal.errors import InsufficientResources


async def test_too_many_connections_is_insufficient_resources(role_url, outside):
    await outside.execute(f"ALTER ROLE {role_url.username} CONNECTION LIMIT 1")
    with pytest.raises(InsufficientResources) as caught:
        async with Database(role_url, pool=PoolConfig(size=2)):
            pass
    assert caught.value.sqlstate == "53300"
