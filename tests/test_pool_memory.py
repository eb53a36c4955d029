"""A connection that is closed is forgotten, whole."""

import gc
import weakref

from sqlalchemy import text

from dal import Database, PoolConfig


async def test_connections_past_their_lifetime_are_forgotten(database_url):
    async with Database(database_url, pool=PoolConfig(size=1, max_lifetime_s=0.001)) as db:
        records = []
        for _ in range(5):
            async with db.engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(0.002)"))
                records.append(weakref.ref((await connection.get_raw_connection())._connection_record))
        del connection
        gc.collect()
        assert sum(record() is not None for record in records) <= 1
