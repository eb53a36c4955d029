"""In a sandbox a transaction's options are taken, and end with it."""

import pytest
from sqlalchemy import text

from dal import Outcome
from dal.demo.repositories import Regions, Shop
from tests.shop_rows import region

pytestmark = pytest.mark.sandbox
TENANT = text("SELECT current_setting('app.tenant', true)")


async def test_a_transaction_with_every_option_works(kit_db):
    options = {"isolation": "serializable", "timeout_s": 5, "lock_timeout_s": 1, "verify_commit": True}
    shop = Shop(kit_db, **options)
    async with shop:
        await shop.regions.add(region(1))
    assert (shop.outcome, await Regions(kit_db).count()) == (Outcome.COMMITTED, 1)


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
async def test_settings_end_with_the_transaction(kit_db, error):
    try:
        async with kit_db.begin(settings={"app.tenant": "42"}) as session:
            assert await session.scalar(TENANT) == "42"
            if error:
                raise error
    except ZeroDivisionError:
        pass
    async with kit_db.begin() as session:
        assert await session.scalar(TENANT) in {None, ""}


async def test_a_transaction_that_is_run_again_works(kit_db):
    attempts = []

    async def add(shop):
        attempts.append(1)
        await shop.regions.add(region(1))
        if len(attempts) == 1:
            await shop.session.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))

    await kit_db.run(add, Shop, isolation="serializable")
    assert (len(attempts), await Regions(kit_db).count()) == (2, 1)
