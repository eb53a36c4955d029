"""Backfills that were broken on purpose: conditions, keys, and what is resumed by a revision that was changed."""

from __future__ import annotations

import asyncio

import pytest

from dal.errors import ConnectionLost, MigrationError

TOUCHED = "SELECT array_agg(DISTINCT touched ORDER BY touched) FROM item"


@pytest.mark.parametrize("where", ['"id > 0 OR note IS NULL"', 'sa.text("id > 0 OR note IS NULL")'])
async def test_a_condition_with_or_holds_within_the_batch(world, where):
    world.add(f'op.backfill("item", {{"touched": sa.text("touched + 1")}}, where={where}, batch_rows=5000)')
    await world.up()
    assert await world.value(TOUCHED) == [1]


async def test_a_condition_with_or_holds_within_the_batch_of_a_script(world):
    world.add(
        'op.backfill("item", {"touched": sa.text("touched + 1")}, where="id > 0 OR note IS NULL", key="id", '
        "batch_rows=5000)"
    )
    await world.run_script(await world.script())
    assert await world.value(TOUCHED) == [1]


async def test_colons_in_a_condition_are_colons(world):
    await world.outside.execute("""UPDATE item SET note = '{"a":1} :b' WHERE id = 7""")
    world.add("""op.backfill("item", {"touched": 1}, where='''note = '{"a":1} :b' ''')""")
    await world.up()
    assert await world.value("SELECT array_agg(id) FROM item WHERE touched = 1") == [7]


async def test_a_backfill_of_its_own_key_is_refused(world):
    """Its rows would move on behind the batch, and be read again for ever."""
    world.add('op.backfill("item", {"id": sa.text("id + 1000000")}, batch_rows=5000)')
    with pytest.raises(MigrationError, match=r"op\.backfill of item writes id, by which it goes through the table"):
        await asyncio.wait_for(world.up(), 10)


async def test_a_backfill_that_is_resumed_by_another_key_is_refused(world):
    """Where it has come to is said by the old key."""
    await world.outside.execute("ALTER TABLE item ADD code bigint UNIQUE; UPDATE item SET code = 1000000 - id")
    await world.outside.execute("ALTER TABLE item ALTER code SET NOT NULL")
    world.add('op.backfill("item", {"touched": sa.text("touched + 1")}, batch_rows=5000)')
    async with world.other.transaction():
        await world.other.execute("SELECT FROM item WHERE id = 7500 FOR UPDATE")
        with pytest.raises(ConnectionLost):
            await world.kill_at("UPDATE item")
    world.rewrite("batch_rows=5000", 'batch_rows=5000, key="code"')
    with pytest.raises(MigrationError, match=r"op\.backfill of item was begun by the key \(id\)"):
        await world.up()
    world.rewrite('key="code"', 'key="id"')
    await world.up()
    assert await world.value(TOUCHED) == [1]


async def test_a_backfill_that_is_resumed_with_other_batches_goes_on(world):
    world.add('op.backfill("item", {"touched": sa.text("touched + 1")}, batch_rows=5000)')
    async with world.other.transaction():
        await world.other.execute("SELECT FROM item WHERE id = 7500 FOR UPDATE")
        with pytest.raises(ConnectionLost):
            await world.kill_at("UPDATE item")
    world.rewrite("batch_rows=5000", "batch_rows=300")
    await world.up()
    assert await world.value(TOUCHED) == [1]


async def test_two_equal_backfills_in_a_revision_are_both_done(world):
    one = 'op.backfill("item", {"touched": sa.text("touched + 1")})'
    world.add(f"{one}\n{one}")
    await world.up()
    assert await world.value(TOUCHED) == [2]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "chr(13 + id::int)"),
        ("timestamptz", "now() - id * interval '1 ms'"),
        ("bytea", "int8send(id)"),
        ("char(9)", "id::text"),
        ("float8", "1 / id::float8"),
        ("interval", "id * interval '1 ms'"),
        ("numeric(30, 20)", "1 / id::numeric"),
        ('"char"', "null"),
    ],
)
async def test_a_key_of_any_type_is_gone_through_once(world, kind, value):
    await world.outside.execute("DELETE FROM item WHERE id > 5000")
    if kind == '"char"':
        await world.outside.execute("DELETE FROM item WHERE id > 90")
        value = 'chr(33 + id::int)::"char"'
    await world.outside.execute(f'ALTER TABLE item ADD "The Key" {kind}')
    await world.outside.execute(f'UPDATE item SET "The Key" = {value}')
    await world.outside.execute('ALTER TABLE item DROP CONSTRAINT item_pkey, ADD PRIMARY KEY ("The Key")')
    world.add('op.backfill("item", {"touched": sa.text("touched + 1")}, batch_rows=7)')
    await world.up()
    assert await world.value(TOUCHED) == [1]
