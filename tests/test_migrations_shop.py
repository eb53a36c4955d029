"""The shop's own revisions, run on a shop that is open."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from dal import Database
from dal.migrations import downgrade, upgrade
from tests.conftest import INI
from tests.looking import connect

CUSTOMERS = 30_000
LONGEST_S = 1.05

FILL = f"""
INSERT INTO region VALUES (1, 'here', ''); INSERT INTO nation VALUES (1, 'ours', 1, '');
INSERT INTO customer (id, name, address, nation_id, phone, balance, segment, comment)
SELECT n, 'customer ' || n, '', 1, '', 0, '', '' FROM generate_series(1, {CUSTOMERS}) AS n
"""


async def _serve(url, waits, ended):
    """Change one customer after the other, and add one now and then."""
    connection = await connect(url)
    try:
        number = 0
        while not ended.is_set():
            number += 1
            started = time.monotonic()
            await connection.execute("UPDATE customer SET balance = balance + 1 WHERE id = $1", number % CUSTOMERS + 1)
            if number % 10 == 0:
                await connection.execute(
                    "INSERT INTO customer (name, address, nation_id, phone, balance, segment, comment) "
                    "OVERRIDING USER VALUE VALUES ('new', '', 1, '', 0, '', '')"
                )
            waits.append(time.monotonic() - started)
            await asyncio.sleep(0.001)
    finally:
        await connection.close()


@pytest.mark.timeout(120)
async def test_a_shop_that_is_open_is_upgraded_and_nobody_waits_for_long(empty, look, empty_database_url):
    await upgrade(empty, "0001", ini=INI)
    await look.execute(FILL)
    await look.execute("SELECT setval(pg_get_serial_sequence('customer', 'id'), 1000000)")
    waits: list[float] = []
    ended = asyncio.Event()
    served = [asyncio.create_task(_serve(empty_database_url, waits, ended)) for _ in range(2)]
    await upgrade(empty, ini=INI)
    ended.set()
    await asyncio.gather(*served)
    assert max(waits) < LONGEST_S
    row = await look.fetchrow("SELECT count(*), count(DISTINCT public_id), sum(balance) FROM customer")
    assert row[0] == row[1] > CUSTOMERS
    assert row[2] == len(waits)
    with pytest.raises(asyncpg.NotNullViolationError):
        await look.execute("UPDATE customer SET public_id = NULL WHERE id = 1")


async def test_down_and_up_again_on_data(empty: Database, look):
    await upgrade(empty, ini=INI)
    await look.execute(FILL)
    for revision in ("0002", "0001"):
        await downgrade(empty, revision, ini=INI)
        await upgrade(empty, ini=INI)
    assert await look.fetchval("SELECT count(DISTINCT public_id) FROM customer") == CUSTOMERS
