"""Operations among hostile settings, other sessions' tables and long names."""

from __future__ import annotations

import asyncio
from math import isnan

import pytest

from dal.errors import ConfigError, ConnectionLost, MigrationError
from dal.migrations import upgrade
from tests.looking import until


async def test_a_constraint_is_validated_where_statements_may_only_be_short(world):
    await world.outside.execute(
        "CREATE FUNCTION slow(bigint) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS "
        "'BEGIN IF $1 = 1 THEN PERFORM pg_sleep(0.5); END IF; RETURN true; END'"
    )
    await world.outside.execute("ALTER TABLE item ADD CONSTRAINT c CHECK (slow(id)) NOT VALID")
    await world.outside.execute(f"ALTER DATABASE {await world.database()} SET statement_timeout = '200ms'")
    world.add("pass")
    world.add(
        'op.validate_constraint("c", "item")\nassert op.get_bind().scalar(sa.text("SHOW statement_timeout")) == "200ms"'
    )
    await world.up()
    assert await world.value("SELECT convalidated FROM pg_constraint WHERE conname = 'c'")


async def test_another_sessions_temporary_table_keeps_nobody_from_going_back(world):
    await world.outside.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
    await world.other.execute("CREATE TEMPORARY TABLE theirs (mood mood)")
    world.add("pass", 'op.check_enum_value_unused("mood", "bad")')
    await world.up()
    await world.down()
    assert await world.at() is None


async def test_a_value_in_a_column_of_a_domain_over_the_enum_is_found(world):
    await world.outside.execute("CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN moods AS mood")
    await world.outside.execute("CREATE TABLE ours (mood moods); INSERT INTO ours VALUES ('bad')")
    world.add("pass", 'op.check_enum_value_unused("mood", "bad")')
    await world.up()
    with pytest.raises(MigrationError, match="rows of ours have the value 'bad' of mood in mood"):
        await world.down()


async def test_an_invalid_index_whose_name_was_cut_by_the_server_is_built_anew(world):
    name = "ix_" + "ü" * 40
    world.add(f'op.create_index_concurrently("{name}", "item", ["name"])')
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET note = 'n' WHERE id = 1")
        with pytest.raises(ConnectionLost):
            await world.kill_at("CREATE INDEX CONCURRENTLY")

    async def dead():
        return not await world.value("SELECT count(*) FROM pg_stat_progress_create_index")

    await until(dead)
    await world.up()
    rows = await world.outside.fetch("SELECT indisvalid FROM pg_index WHERE indrelid = 'item'::regclass")
    assert [row[0] for row in rows] == [True, True]


async def test_an_index_with_a_condition_that_names_its_table_is_taken_when_it_is_there(world):
    world.add('op.create_index_concurrently("ix", "item", ["name"], where="item.note IS NULL")')
    await world.outside.execute("CREATE INDEX ix ON item (name) WHERE note IS NULL")
    await world.up()
    assert await world.at() == "0001"


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 3e6])
@pytest.mark.parametrize("name", ["lock_timeout_s", "give_up_after_s", "wait_s"])
async def test_a_time_that_is_none_is_refused(world, name, seconds):
    world.add("pass")
    if not isnan(seconds) and name != "lock_timeout_s":
        return
    with pytest.raises(ConfigError, match=f"{name}={seconds} is no time to wait"):
        await asyncio.wait_for(upgrade(world.db, ini=world.ini, **{name: seconds}), 5)
