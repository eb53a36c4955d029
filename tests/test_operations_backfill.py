"""`op.backfill` on a table that is written to meanwhile."""

import asyncio
import logging

import pytest

from dal.errors import ConnectionLost, MigrationError
from tests.operation_worlds import ROWS, writing

BOUND_S = 2.0
COUNT = 'op.backfill("item", {"touched": sa.text("touched + 1")}, batch_rows=1000)'
STATE = "SELECT to_regclass('dal_backfills')::text"
TOUCHED = "SELECT array_agg(DISTINCT touched ORDER BY touched) FROM item"


async def _state(world):
    return await world.value(TOUCHED), await world.value(STATE), await world.at()


async def test_every_row_is_written_once_and_nothing_is_left(world):
    world.add(COUNT)
    await world.up()
    assert await _state(world) == ([1], None, "0001")


async def test_after_a_downgrade_it_begins_anew(world):
    world.add(COUNT, 'op.backfill("item", {"touched": 0}, where="touched > 0")')
    await world.up_down_up()
    assert await _state(world) == ([1], None, "0001")


async def test_values_are_literals_expressions_and_null(world):
    world.add(
        'op.backfill("item", {"name": "it\'s 5 %: a", "note": None, "touched": sa.func.length(sa.column("name"))}, '
        'where=sa.column("id") <= 10)'
    )
    await world.up()
    rows = await world.outside.fetch("SELECT DISTINCT name, note, touched FROM item WHERE id <= 10 ORDER BY touched")
    assert [tuple(row) for row in rows] == [("it's 5 %: a", None, 2), ("it's 5 %: a", None, 3)]
    assert await world.value("SELECT count(*) FROM item WHERE note IS NULL") == 10


async def test_a_value_without_a_form_in_sql_says_what_to_do(world):
    world.add('op.backfill("item", {"note": object()})')
    with pytest.raises(MigrationError, match=r"a value for note has no form in SQL that is known\. Write it as SQL"):
        await world.up()


async def test_a_batch_locks_as_many_rows_as_it_may(world):
    world.add(COUNT)
    async with world.other.transaction():
        await world.other.execute("SELECT FROM item WHERE id = 2500 FOR UPDATE")
        upgrading = asyncio.create_task(world.up())
        await world.waits_for_lock("UPDATE item")
        assert await world.value(TOUCHED) == [0, 1]
        assert await world.value("SELECT count(*) FROM item WHERE touched = 1") == 2000
        locked = ROWS - len(await world.outside.fetch("SELECT FROM item FOR UPDATE SKIP LOCKED"))
    await upgrading
    assert 1 <= locked <= 1000
    assert await _state(world) == ([1], None, "0001")


async def test_killed_in_the_middle_it_goes_on_there(world):
    world.add(COUNT)
    async with world.other.transaction():
        await world.other.execute("SELECT FROM item WHERE id = 2500 FOR UPDATE")
        with pytest.raises(ConnectionLost):
            await world.kill_at("UPDATE item")
        left = await world.outside.fetchrow("SELECT marker, rows_read, rows_changed FROM dal_backfills")
        assert tuple(left) == (["2000"], 2000, 2000)
    await world.up()
    assert await _state(world) == ([1], None, "0001")


async def test_cancelled_in_a_pause_it_stops_at_once_and_goes_on_there(world):
    world.add(COUNT.replace("batch_rows", "pause_s=3600, batch_rows"))
    upgrading = asyncio.create_task(world.up())

    async def has_begun():
        return await world.value(STATE) and await world.value("SELECT count(*) FROM dal_backfills") == 1

    await world.until(has_begun)
    upgrading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upgrading
    assert await _state(world) == ([0, 1], "dal_backfills", None)
    world.rewrite("pause_s=3600", "pause_s=0")
    await world.up()
    assert await _state(world) == ([1], None, "0001")


async def test_killed_between_its_end_and_the_stamp_it_writes_nothing_twice(world):
    world.add(COUNT + '\nop.execute("LOCK TABLE item")')
    async with world.other.transaction():
        await world.other.execute("LOCK TABLE item IN ROW SHARE MODE")
        with pytest.raises(ConnectionLost):
            await world.kill_at("LOCK TABLE item")
    assert await _state(world) == ([1], "dal_backfills", None)
    await world.up()
    assert await _state(world) == ([1], None, "0001")


async def test_two_in_one_revision_with_not_null_behind_go_on_where_they_were(world):
    await world.outside.execute("ALTER TABLE item ADD more int")
    world.add(f'{COUNT}\nop.backfill("item", {{"more": 1}})\nop.set_not_null_safely("item", "more")')
    async with world.other.transaction():
        await world.other.execute("SELECT FROM item WHERE id = 2500 FOR UPDATE")
        upgrading = asyncio.create_task(world.up())
        await world.waits_for_lock("UPDATE item")
        await world.other.execute("LOCK TABLE item IN ROW SHARE MODE")
        upgrading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upgrading
    await world.up()
    assert await _state(world) == ([1], None, "0001")
    assert await world.value("SELECT attnotnull FROM pg_attribute WHERE attname = 'more'") is True


async def test_another_change_of_the_table_does_not_go_on_where_this_one_was(world):
    world.add(COUNT)
    async with world.other.transaction():
        await world.other.execute("SELECT FROM item WHERE id = 2500 FOR UPDATE")
        with pytest.raises(ConnectionLost):
            await world.kill_at("UPDATE item")
    world.rewrite("touched + 1", "7")
    await world.up()
    assert await _state(world) == ([7], None, "0001")


async def test_writers_do_not_wait_for_it(world):
    world.add(COUNT.replace("touched", "note").replace("note + 1", "'n'"))
    async with writing(world.other) as writer:
        await world.up()
    assert writer.longest_s < BOUND_S


async def test_where_a_batch_and_a_writer_lock_each_other_out_the_batch_gives_way(world):
    world.add(COUNT)
    async with world.other.transaction():
        await world.other.execute("SELECT FROM item WHERE id = 2500 FOR UPDATE")
        upgrading = asyncio.create_task(world.up())
        await world.waits_for_lock("UPDATE item")
        await world.value("SELECT pg_sleep(1.2)")  # longer than deadlock_timeout
        await world.other.execute("SELECT FROM item WHERE id = 2100 FOR UPDATE")
    await upgrading
    assert await _state(world) == ([1], None, "0001")


@pytest.mark.parametrize("batch_rows", [1, 3, 5, 10, 11])
@pytest.mark.parametrize("rows", [0, 1, 10])
async def test_every_row_is_written_once_whatever_a_batch_takes(world, rows, batch_rows):
    await world.outside.execute("DELETE FROM item WHERE id > $1", rows)
    world.add(COUNT.replace("batch_rows=1000", f"batch_rows={batch_rows}"))
    await world.up()
    assert await _state(world) == ([1] if rows else None, None, "0001")


async def test_what_somebody_changes_meanwhile_is_held_against_the_condition_again(world):
    world.add('op.backfill("item", {"name": "empty"}, where="note = \'o\'")')
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET note = 'mine' WHERE id = 5")
        upgrading = asyncio.create_task(world.up())
        await world.waits_for_lock("UPDATE item")
    await upgrading
    assert await world.value("SELECT name FROM item WHERE id = 5") == "n5"
    assert await world.value("SELECT count(*) FROM item WHERE name <> 'empty'") == 1


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (
            'a int, b text COLLATE "C", c timestamptz, PRIMARY KEY (b, c, a)',
            "n % 7, 'x:' || n % 5, now() - n * interval '1 s'",
        ),
        ("a uuid PRIMARY KEY", "gen_random_uuid()"),
        ("a bytea, b numeric(9, 3), PRIMARY KEY (a, b)", "decode(md5((n % 3)::text), 'hex'), n / 8.0"),
        ('"A: %" bpchar(5), b date, PRIMARY KEY (b, "A: %")', "n::text, date '2024-01-01' + n % 3"),
    ],
)
async def test_keys_of_any_type_and_of_several_columns_work(world, columns, row):
    await world.outside.execute(f"CREATE TABLE other ({columns}, touched int NOT NULL DEFAULT 0)")
    await world.outside.execute(f"INSERT INTO other SELECT {row} FROM generate_series(1, 300) n")
    world.add('op.backfill("other", {"touched": sa.text("touched + 1")}, batch_rows=7)')
    await world.up()
    assert await world.value("SELECT array_agg(DISTINCT touched) FROM other") == [1]


async def test_a_unique_index_can_be_the_key(world):
    await world.outside.execute("CREATE TABLE other (a int NOT NULL, b int NOT NULL, c int, UNIQUE (b, a))")
    await world.outside.execute("INSERT INTO other SELECT n, n % 3 FROM generate_series(1, 50) n")
    world.add('op.backfill("other", {"c": 1}, key=["a", "b"], batch_rows=7)')
    await world.up()
    assert await world.value("SELECT count(c) FROM other") == 50


@pytest.mark.parametrize("key", ["None", '"c"', '"a"'])
async def test_a_key_that_could_be_null_or_ambiguous_is_refused(world, key):
    await world.outside.execute("CREATE TABLE other (a int UNIQUE, b int NOT NULL, c int NOT NULL)")
    world.add(f'op.backfill("other", {{"b": 1}}, key={key})')
    with pytest.raises(MigrationError, match="cannot backfill other in batches: it has not"):
        await world.up()


async def test_names_that_need_quotes_work(world):
    await world.outside.execute('CREATE SCHEMA "a: b"; CREATE TABLE "a: b"."T %t" ("I:d" int PRIMARY KEY, "c %" text)')
    await world.outside.execute('INSERT INTO "a: b"."T %t" SELECT n FROM generate_series(1, 50) n')
    world.add('op.backfill("T %t", {"c %": "100 %"}, schema="a: b", batch_rows=7)')
    await world.up()
    assert await world.value('SELECT count(*) FROM "a: b"."T %t" WHERE "c %" = \'100 %\'') == 50


async def test_progress_is_told(world, caplog, monkeypatch):
    monkeypatch.setattr("dal.migrations.operations.backfill.LINE_EVERY_S", 0.0)
    world.add(
        'told = []\nop.backfill("item", {"touched": 1}, batch_rows=8000, on_progress=told.append, where="id > 8000")\n'
        'op.execute(f"CREATE TABLE told AS SELECT {[(one.rows_read, one.rows_changed) for one in told]!r} AS s"'
        '.replace("[", "\'").replace("]", "\'"))'
    )
    with caplog.at_level(logging.INFO, "dal.migrations"):
        await world.up()
    assert await world.value("SELECT s FROM told") == "(8000, 0), (16000, 8000), (20000, 12000)"
    assert "op.backfill of item: 16000 rows of about 20000, 8000 changed" in caplog.text


async def test_the_script_writes_every_row_once(world):
    world.add(COUNT.replace("batch_rows", 'key="id", batch_rows'))
    world.add(
        'op.backfill("item", {"name": "5 %"}, key="id", pause_s=0.001, batch_rows=7000, where="name like \'n1%\'")'
    )
    await world.run_script(await world.script())
    assert (await world.value(TOUCHED), await world.at()) == ([1], "0002")
    assert await world.value("SELECT count(*) FROM item WHERE name = '5 %'") == 11111


async def test_a_script_without_a_key_is_refused(world):
    world.add(COUNT)
    with pytest.raises(MigrationError, match="Give key=, or run the upgrade online"):
        await world.script()


@pytest.mark.parametrize("wrong", ["batch_rows=0", "pause_s=-1"])
async def test_what_makes_no_sense_is_refused(world, wrong):
    world.add(f'op.backfill("item", {{"touched": 1}}, {wrong})')
    with pytest.raises(MigrationError, match="Give at least one row, 0 seconds and one column"):
        await world.up()
