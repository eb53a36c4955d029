"""`op.set_not_null_safely`, by a NOT NULL that is NOT VALID and, as on older servers, by a CHECK that stands in."""

import asyncio
import logging

import pytest

from dal.errors import ConnectionLost, MigrationError
from tests.operation_worlds import writing

BOUND_S = 2.0
NOT_VALID = "ADD NOT NULL name NOT VALID"
UP = 'op.set_not_null_safely("item", "name")'
DOWN = 'op.alter_column("item", "name", nullable=True)'
NOT_NULL = "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'item'::regclass AND attname = 'name'"
LEFT = (
    "SELECT count(*) FROM pg_constraint WHERE conrelid = 'item'::regclass "
    "AND (conname LIKE 'dal%' OR contype = 'n' AND NOT convalidated)"
)


@pytest.fixture(params=["by a constraint", "by a check"])
def way(request, world, monkeypatch):
    if request.param == "by a check":
        monkeypatch.setattr("dal.migrations.operations.not_null.NOT_VALID_SINCE", 99)
    elif world.version() < 18:
        pytest.skip("such constraints came with PostgreSQL 18")
    return world


async def _state(world):
    return await world.value(NOT_NULL), await world.value(LEFT), await world.at()


async def test_it_is_set_allowed_again_and_set_again(way):
    way.add(UP, DOWN)
    await way.up()
    assert await _state(way) == (True, 0, "0001")
    await way.down()
    assert await _state(way) == (False, 0, None)
    await way.up()
    assert await _state(way) == (True, 0, "0001")


async def test_nulls_are_told_and_nothing_is_left(way):
    await way.outside.execute("UPDATE item SET name = NULL WHERE id = 3")
    way.add(UP)
    with pytest.raises(MigrationError) as caught:
        await way.up()
    assert str(caught.value) == (
        "cannot set item.name NOT NULL: it has NULLs. Fill them, by op.backfill in a revision before this one, and run "
        "the upgrade again. Nothing is left of the attempt."
    )
    assert await _state(way) == (False, 0, None)
    await way.outside.execute("UPDATE item SET name = '' WHERE name IS NULL")
    await way.up()
    assert await _state(way) == (True, 0, "0001")


async def test_writers_do_not_wait_for_it(way):
    way.add(UP, DOWN)
    async with writing(way.other) as writer:
        await way.up_down_up()
    assert writer.longest_s < BOUND_S


async def test_a_transaction_that_is_open_on_the_table_holds_up_writers_for_a_moment_only(way, caplog):
    way.add(UP)
    async with way.outside.transaction():
        await way.outside.execute("UPDATE item SET note = 'n' WHERE id = 1000")
        with caplog.at_level(logging.INFO, "dal.migrations"):
            upgrading = asyncio.create_task(way.up())
            async with writing(way.other) as writer:
                await way.until_logged(caplog, "did not get its lock, attempt 2 of 30")
    await upgrading
    assert 1.0 < writer.longest_s < BOUND_S  # it was in the way, and out of it again
    assert await _state(way) == (True, 0, "0001")


async def test_it_gives_up_with_what_to_do(way, monkeypatch):
    monkeypatch.setattr("dal.migrations.operations.timeouts.ATTEMPTS", 2)
    monkeypatch.setattr("dal.migrations.operations.not_null.TABLE_LOCK_MS", 50)
    way.add(UP)
    async with way.other.transaction():
        await way.other.execute("UPDATE item SET note = 'n' WHERE id = 1")
        with pytest.raises(MigrationError, match=r"op\.set_not_null_safely of item did not get its lock in 2 attempts"):
            await way.up()
    await way.up()
    assert await _state(way) == (True, 0, "0001")


async def test_killed_while_it_waits_for_its_first_lock_it_begins_anew(way):
    way.add(UP)
    async with way.other.transaction():
        await way.other.execute("UPDATE item SET note = 'n' WHERE id = 1")
        with pytest.raises(ConnectionLost):
            await way.kill_at("NOT VALID")
    assert await _state(way) == (False, 0, None)
    await way.up()
    assert await _state(way) == (True, 0, "0001")


@pytest.mark.parametrize("left", ["ADD CONSTRAINT dal_not_null_name CHECK (name IS NOT NULL) NOT VALID", NOT_VALID])
async def test_a_killed_validation_is_made_again_and_wants_no_strong_lock(world, monkeypatch, left):
    if left != NOT_VALID:
        monkeypatch.setattr("dal.migrations.operations.not_null.NOT_VALID_SINCE", 99)
    elif world.version() < 18:
        pytest.skip("such constraints came with PostgreSQL 18")
    await world.outside.execute(f"ALTER TABLE item {left}")
    world.add(UP)
    async with world.other.transaction():
        await world.other.execute("LOCK TABLE item IN SHARE UPDATE EXCLUSIVE MODE")
        upgrading = asyncio.create_task(world.up())
        pid = await world.waits_for_lock("VALIDATE CONSTRAINT")
        wanted = await world.wanted(pid)
        await world.outside.execute("UPDATE item SET note = 'x' WHERE id = 1")
        await world.outside.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(ConnectionLost):
            await upgrading
    assert wanted == "ShareUpdateExclusiveLock"
    await world.up()
    assert await _state(world) == (True, 0, "0001")


@pytest.mark.parametrize(
    "left",
    [
        "ADD CONSTRAINT dal_not_null_name CHECK (name IS NOT NULL) NOT VALID",
        "ADD CONSTRAINT dal_not_null_name CHECK (name IS NOT NULL)",
        "ADD CONSTRAINT dal_not_null_name CHECK (name IS NOT NULL), ALTER COLUMN name SET NOT NULL",
        "ALTER COLUMN name SET NOT NULL",
    ],
)
async def test_whatever_step_was_the_last_it_is_finished(way, left):
    await way.outside.execute(f"ALTER TABLE item {left}")
    way.add(UP)
    await way.up()
    assert await _state(way) == (True, 0, "0001")


async def test_set_not_null_reads_no_rows_under_its_lock(way):
    """What the whole is for: the step with the strong lock does not read the table."""
    way.add(UP)
    before = await way.value("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'item'")
    await way.up()
    assert await way.scans() - before == 1  # that of the validation


async def test_a_column_that_is_not_there_is_named(way):
    way.add('op.set_not_null_safely("item", "nane")')
    with pytest.raises(MigrationError, match=r"^cannot set item.nane NOT NULL: there is no such column\.$"):
        await way.up()


async def test_names_that_need_quotes_and_are_long_work(way):
    column = "Ö: " + "x" * 58
    await way.outside.execute(f'CREATE SCHEMA "a: b"; CREATE TABLE "a: b"."T:t" (id int, "{column}" int)')
    way.add(f'op.set_not_null_safely("T:t", {column!r}, schema="a: b")')
    await way.up()
    assert await way.value("SELECT attnotnull FROM pg_attribute WHERE attname = $1", column) is True


async def test_partitions_are_set_too(way):
    await way.outside.execute("CREATE TABLE parts (name text) PARTITION BY LIST (name)")
    await way.outside.execute("CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a')")
    way.add('op.set_not_null_safely("parts", "name")')
    await way.up()
    assert await way.value(
        "SELECT bool_and(attnotnull) FROM pg_attribute WHERE attname = 'name' AND attrelid = ANY($1)",
        [await way.value("SELECT 'parts'::regclass::oid"), await way.value("SELECT 'parts_a'::regclass::oid")],
    )


async def test_two_in_one_revision_are_finished_after_an_interruption(way):
    await way.outside.execute("UPDATE item SET note = NULL WHERE id = 3")
    way.add(f'{UP}\nop.set_not_null_safely("item", "note")')
    with pytest.raises(MigrationError, match="note"):
        await way.up()
    await way.outside.execute("UPDATE item SET note = '' WHERE note IS NULL")
    await way.up()
    assert await _state(way) == (True, 0, "0001")


async def test_the_script_can_be_run_and_run_again(world):
    world.add(UP)
    script = await world.script()
    steps = script[script.index("ALTER TABLE item") : script.rindex("ALTER TABLE item")]
    await world.outside.execute(steps)
    await world.run_script(script)
    assert await _state(world) == (True, 0, "0001")
