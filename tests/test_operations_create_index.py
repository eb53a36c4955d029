"""`op.create_index_concurrently` and `op.drop_index_concurrently` on a table that is written to meanwhile."""

import asyncio
import logging

import asyncpg
import pytest

from dal.errors import ConnectionLost, MigrationError
from tests.operation_worlds import STRONG, writing

UP = 'op.create_index_concurrently("ix_item_name", "item", ["name"])'
DOWN = 'op.drop_index_concurrently("ix_item_name", "item")'
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_item_name')"
DEFINITION = "SELECT pg_get_indexdef(to_regclass('ix_item_name'))"
BOUND_S = 1.0


async def test_index_is_made_dropped_and_made_again(world):
    world.add(UP, DOWN)
    await world.up()
    assert await world.value(VALID) is True
    await world.down()
    assert await world.value(VALID) is None
    await world.up()
    assert await world.value(VALID) is True


async def test_options_make_the_index_that_op_create_index_makes(world):
    world.add(
        'op.create_index_concurrently("ix_item_name", "item", ["name", sa.text("lower(note) DESC")], unique=True, '
        'where="touched = 0", include=["touched"], using="btree", schema="public", '
        'postgresql_ops={"name": "text_pattern_ops"}, postgresql_with={"fillfactor": 50})'
    )
    await world.up()
    definition = await world.value(DEFINITION)
    await world.outside.execute("DROP INDEX ix_item_name")
    world.add(
        'op.create_index("ix_item_name", "item", ["name", sa.text("lower(note) DESC")], unique=True, '
        'postgresql_where="touched = 0", postgresql_include=["touched"], postgresql_using="btree", schema="public", '
        'postgresql_ops={"name": "text_pattern_ops"}, postgresql_with={"fillfactor": 50})'
    )
    await world.up()
    assert await world.value(DEFINITION) == definition


async def test_writers_do_not_wait_for_the_index(world):
    world.add(UP, DOWN)
    async with writing(world.other) as writer:
        await world.up_down_up()
    assert writer.longest_s < BOUND_S


async def test_no_strong_lock_is_held_while_it_waits_for_older_transactions(world):
    world.add(UP)
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET touched = 1 WHERE id = 1")
        upgrading = asyncio.create_task(world.up())
        pid = await world.waits_for_lock("CREATE INDEX CONCURRENTLY")
        held = await world.locks(pid)
        await world.outside.execute("INSERT INTO item (name) VALUES ('meanwhile')")
    await upgrading
    assert held.isdisjoint(STRONG)
    assert await world.value(VALID) is True


async def test_a_killed_build_is_begun_anew(world):
    world.add(UP)
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET touched = 1 WHERE id = 1")
        with pytest.raises(ConnectionLost):
            await world.kill_at("CREATE INDEX CONCURRENTLY")
    assert (await world.value(VALID), await world.at()) == (False, None)
    await world.up()
    assert (await world.value(VALID), await world.at()) == (True, "0001")


async def test_a_killed_drop_is_finished(world):
    world.add(UP)
    await world.up()
    world.add(DOWN)
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET touched = 1 WHERE id = 1")
        with pytest.raises(ConnectionLost):
            await world.kill_at("DROP INDEX CONCURRENTLY")
    await world.up()
    assert (await world.value(VALID), await world.at()) == (None, "0002")


async def test_a_cancelled_build_is_begun_anew(world):
    world.add(UP)
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET touched = 1 WHERE id = 1")
        upgrading = asyncio.create_task(world.up())
        await world.waits_for_lock("CREATE INDEX CONCURRENTLY")
        upgrading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upgrading
    await world.up()
    assert await world.value(VALID) is True


async def test_an_index_that_was_complete_before_its_revision_was_stamped_is_taken(world):
    await world.outside.execute("CREATE INDEX ix_item_name ON item (name)")
    oid = await world.value("SELECT to_regclass('ix_item_name')::oid::int")
    world.add(UP)
    await world.up()
    assert await world.value("SELECT to_regclass('ix_item_name')::oid::int") == oid


async def test_an_index_of_another_definition_is_refused(world):
    await world.outside.execute("CREATE INDEX ix_item_name ON item (name DESC)")
    world.add(UP)
    with pytest.raises(MigrationError) as caught:
        await world.up()
    assert str(caught.value) == (
        "cannot create index ix_item_name on item: one of that name is there, and it is not unique btree (name DESC), "
        "not not unique btree (name). Choose another name, or drop what is there in a revision before this one."
    )


async def test_another_relation_of_that_name_is_refused(world):
    await world.outside.execute("CREATE TABLE ix_item_name ()")
    world.add(UP)
    with pytest.raises(MigrationError, match="another relation has that name"):
        await world.up()


async def test_duplicates_under_a_unique_index_leave_nothing_and_say_what_to_do(world):
    await world.outside.execute("INSERT INTO item (name) VALUES ('secret'), ('secret')")
    world.add('op.create_index_concurrently("ix_item_name", "item", ["name"], unique=True)')
    with pytest.raises(MigrationError) as caught:
        await world.up()
    assert str(caught.value) == (
        "cannot create the unique index ix_item_name: item has rows that are equal in (name). Find them by SELECT "
        "name, count(*) FROM item GROUP BY name HAVING count(*) > 1; mend them, and run the upgrade again. Nothing is "
        "left of the index."
    )
    assert await world.value(VALID) is None


async def test_a_deadlock_is_tried_again(world, caplog):
    """Another builds on the same table: each waits for the other's snapshot, and the server kills one of them."""
    world.add(UP)
    await world.outside.execute("SET deadlock_timeout = '1h'")  # so that it is the migrator who is killed
    await world.other.execute("SET deadlock_timeout = '1h'")
    await world.other.execute("BEGIN; UPDATE item SET touched = 1 WHERE id = 1")
    upgrading = asyncio.create_task(world.up())
    await world.waits_for_lock("CREATE INDEX CONCURRENTLY")
    with caplog.at_level(logging.WARNING, "dal.migrations"):
        locking = asyncio.create_task(world.other.execute("LOCK TABLE item IN SHARE UPDATE EXCLUSIVE MODE"))
        await locking  # granted as soon as the migrator is told of the deadlock
        await world.other.execute("COMMIT")
        await upgrading
    assert await world.value(VALID) is True
    assert "dropping the invalid index ix_item_name" in caplog.text


async def test_timeouts_do_not_kill_it_and_are_as_before_afterwards(world):
    seen = "CREATE TABLE seen AS SELECT current_setting('lock_timeout') || current_setting('statement_timeout') AS was"
    world.add(f'op.execute("SET statement_timeout = \'70ms\'")\n{UP}\nop.execute("{seen}")')
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET touched = 1 WHERE id = 1")
        upgrading = asyncio.create_task(world.up(lock_timeout_s=0.05))
        pid = await world.waits_for_lock("CREATE INDEX CONCURRENTLY")
        await world.value("SELECT pg_sleep(0.2)")  # longer than the timeouts
        assert await world.waits_for_lock("CREATE INDEX CONCURRENTLY") == pid
    await upgrading
    assert await world.value("SELECT was FROM seen") == "50ms70ms"


async def test_who_is_waited_for_is_logged(world, caplog):
    world.add(UP)
    async with world.other.transaction():
        await world.other.execute("UPDATE item SET touched = 1 WHERE id = 1")
        pid = world.other.get_server_pid()
        await world.value("SELECT pg_sleep(1.1)")  # those of less than a second are not worth a line
        with caplog.at_level(logging.INFO, "dal.migrations"):
            upgrading = asyncio.create_task(world.up())
            await world.waits_for_lock("CREATE INDEX CONCURRENTLY")
    await upgrading
    assert f"index ix_item_name waits for the end of process {pid} (writer), idle in transaction" in caplog.text


async def test_a_build_that_goes_on_by_itself_is_waited_for_and_taken(world, caplog):
    world.add(UP)
    await world.outside.execute("BEGIN; UPDATE item SET touched = 1 WHERE id = 1")
    orphan = asyncio.create_task(world.other.execute("CREATE INDEX CONCURRENTLY ix_item_name ON item (name)"))
    with caplog.at_level(logging.INFO, "dal.migrations"):
        await world.until_there("ix_item_name")
        upgrading = asyncio.create_task(world.up())
        await world.until_logged(caplog, "which builds index ix_item_name")
        await world.outside.execute("COMMIT")
        await asyncio.gather(orphan, upgrading)
    assert await world.value(VALID) is True
    assert "dropping" not in caplog.text


async def test_a_partitioned_table_is_refused(world):
    await world.outside.execute("CREATE TABLE parts (name text) PARTITION BY LIST (name)")
    world.add('op.create_index_concurrently("ix_parts", "parts", ["name"])')
    with pytest.raises(MigrationError, match="parts is partitioned"):
        await world.up()


async def test_what_a_partitioned_table_is_told_to_do_works(world):
    await world.outside.execute("CREATE TABLE parts (name text) PARTITION BY LIST (name)")
    await world.outside.execute("CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a')")
    world.add('op.create_index_concurrently("ix_parts_a", "parts_a", ["name"])')
    world.add('op.create_index("ix_parts", "parts", ["name"])')
    await world.up()
    assert await world.value(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ix_parts'::regclass"
    ) == ("ix_parts_a")


async def test_what_was_written_before_it_in_its_revision_is_refused(world):
    world.add('op.execute("CREATE TABLE first ()")')
    world.add('op.execute("CREATE TABLE before ()")\n' + UP)
    with pytest.raises(MigrationError, match=r"^op.create_index_concurrently must commit, and operations before it"):
        await world.up()
    assert await world.value("SELECT to_regclass('before')") is None


async def test_what_was_written_before_it_in_the_very_first_revision_is_refused(world):
    world.add('op.create_table("before", sa.Column("id", sa.Integer))\n' + UP)
    with pytest.raises(MigrationError, match="and operations before it"):
        await world.up()
    assert (await world.value("SELECT to_regclass('before')"), await world.value(VALID)) == (None, None)


async def test_what_is_behind_it_in_its_revision_is_of_one_transaction(world):
    world.add(UP + '\nop.execute("CREATE TABLE behind ()")\nop.execute("SELECT 1/0")')
    with pytest.raises(Exception, match="division"):
        await world.up()
    assert (await world.value("SELECT to_regclass('behind')"), await world.value(VALID)) == (None, True)


async def test_a_transaction_that_alembic_did_not_begin_is_refused(world):
    world.add(UP)
    with pytest.raises(MigrationError, match="in a transaction that was begun outside of Alembic"):
        await world.up_in_a_transaction()


async def test_the_script_commits_before_it(world):
    world.add(UP)
    script = await world.script()
    assert script.index("COMMIT;") < script.index(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_item_name ON item (name);"
    )
    await world.run_script(script)
    assert (await world.value(VALID), await world.at()) == (True, "0001")


async def test_the_script_drops_what_an_interruption_left_and_keeps_what_was_complete(world):
    await world.outside.execute("UPDATE item SET note = 'x'; CREATE INDEX ix_item_note ON item (note)")
    kept = await world.value("SELECT 'ix_item_note'::regclass::oid")
    with pytest.raises(asyncpg.UniqueViolationError):
        await world.outside.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_item_name ON item (note)")
    assert await world.value(VALID) is False
    world.add(UP + '\nop.create_index_concurrently("ix_item_note", "item", ["note"])')
    await world.run_script(await world.script())
    assert (await world.value(VALID), await world.at()) == (True, "0001")
    assert await world.value("SELECT 'ix_item_note'::regclass::oid") == kept
