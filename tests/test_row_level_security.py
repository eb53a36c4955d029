"""A tenant's rows are seen by nobody else, whatever is cancelled, and over however few connections."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Final

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.errors import DALError, InsufficientPrivilege
from tests.cancelling import until_quiet

TENANTS: Final = 50
REQUESTS: Final = 10_000
AT_A_TIME: Final = 10
SEED: Final = 11

SCHEMA: Final = f"""
    CREATE TABLE secret (tenant int NOT NULL, words text NOT NULL);
    INSERT INTO secret SELECT n % {TENANTS}, 'of ' || n FROM generate_series(1, {TENANTS * 4}) AS n;
    ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON secret USING (tenant = nullif(current_setting('app.tenant', true), '')::int);
    GRANT SELECT, INSERT ON secret TO PUBLIC;
"""
TENANTS_SEEN: Final = text("SELECT DISTINCT tenant FROM secret")


class Requests:
    """Requests of many tenants at once, each of which looks at all it can see; some are cancelled."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.chance = random.Random(SEED)
        self.left = REQUESTS
        self.seen: Counter[str] = Counter()
        self.wrong: list[tuple[int | None, set[int]]] = []

    async def serve(self) -> None:
        while self.left > 0:
            self.left -= 1
            tenant = self.chance.randrange(TENANTS) if self.chance.random() < 0.9 else None
            task = asyncio.create_task(self._request(tenant))
            if self.chance.random() < 0.4:
                for _ in range(self.chance.randrange(40)):
                    await asyncio.sleep(0)
                self.seen["cancelled"] += task.cancel()
            with suppress(asyncio.CancelledError, DALError):
                await task

    async def _request(self, tenant: int | None) -> None:
        options = {} if tenant is None else {"settings": {"app.tenant": str(tenant)}}
        async with self._lent(tenant, options) as session:
            seen = set(await session.scalars(TENANTS_SEEN))
            if seen != (set() if tenant is None else {tenant}):
                self.wrong.append((tenant, seen))
            self.seen["nobody" if tenant is None else "tenant"] += 1

    def _lent(self, tenant, options):
        return self.db.reading() if tenant is None and self.chance.random() < 0.5 else self.db.begin(**options)


@pytest.mark.timeout(120)
async def test_no_request_ever_sees_another_tenant_s_rows(outside, role_url):
    await outside.execute(SCHEMA)
    async with Database(role_url, pool=PoolConfig(size=5)) as db:
        requests = Requests(db)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_A_TIME):
                tasks.create_task(requests.serve())
        await until_quiet(outside)
    assert requests.wrong == []
    # How many are in time to be cancelled depends on the machine.
    assert min(requests.seen["tenant"], requests.seen["cancelled"], requests.seen["nobody"]) > 300


async def test_a_row_of_another_tenant_cannot_be_written(outside, role_url):
    await outside.execute(SCHEMA)
    async with Database(role_url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(InsufficientPrivilege):
            async with db.begin(settings={"app.tenant": "1"}) as session:
                await session.execute(text("INSERT INTO secret VALUES (2, '')"))
