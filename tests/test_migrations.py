"""Migrations from inside an application, in a running loop."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dal.demo.models import Base
from dal.errors import MigrationError
from dal.migrations import check_at_head, downgrade, upgrade
from tests.conftest import INI
from tests.looking import states

TABLES = "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"


async def test_models_equal_migrations(empty):
    await upgrade(empty, ini=INI)
    async with empty.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts=options), Base.metadata)
        )
    assert differences == []


async def test_upgrade_makes_every_table(empty, look):
    await upgrade(empty, ini=INI)
    assert await look.fetchval(TABLES) == sorted([*Base.metadata.tables, "alembic_version"])


async def test_upgrade_of_what_is_at_head_changes_nothing(empty, look):
    await upgrade(empty, ini=INI)
    await upgrade(empty, ini=INI)
    assert await look.fetchval("SELECT count(*) FROM alembic_version") == 1


async def test_downgrade_leaves_no_table(empty, look):
    await upgrade(empty, ini=INI)
    await downgrade(empty, "base", ini=INI)
    assert await look.fetchval(TABLES) == ["alembic_version"]


async def test_upgrade_after_a_downgrade_is_at_head_again(empty):
    await upgrade(empty, ini=INI)
    await downgrade(empty, "base", ini=INI)
    await upgrade(empty, ini=INI)
    await check_at_head(empty, ini=INI)


async def test_upgrade_lets_the_loop_run(empty):
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    await upgrade(empty, ini=INI)
    counting.cancel()
    assert turns > 10


async def test_upgrade_holds_no_connection_afterwards(empty, look):
    await upgrade(empty, ini=INI)
    assert (empty.pool.leases(), set(await states(look))) == ([], {"idle"})


async def test_a_revision_that_is_not_there_is_one_line(empty):
    with pytest.raises(MigrationError, match=r"^cannot upgrade to 'nowhere': .*nowhere") as caught:
        await upgrade(empty, "nowhere", ini=INI)
    assert "\n" not in str(caught.value)


async def test_check_passes_at_head(db):
    await check_at_head(db, ini=INI)


async def test_check_of_a_database_that_is_not_migrated_says_what_to_do(empty):
    with pytest.raises(MigrationError) as caught:
        await check_at_head(empty, ini=INI)
    assert str(caught.value) == (
        f"the database {empty.config.where} is at revision none, and the code at 0003. Upgrade it: alembic upgrade head"
    )


async def test_check_of_an_unknown_revision_names_it(empty, look):
    await upgrade(empty, ini=INI)
    await look.execute("UPDATE alembic_version SET version_num = 'f00'")
    with pytest.raises(MigrationError, match="is at revision f00, and the code at 0003"):
        await check_at_head(empty, ini=INI)


async def test_a_migration_that_fails_leaves_nothing_of_it(empty, look):
    await look.execute("CREATE TABLE supplier ()")
    with pytest.raises(Exception, match="supplier"):
        await upgrade(empty, ini=INI)
    assert await look.fetchval(TABLES) in (["supplier"], ["alembic_version", "supplier"])
