"""A migration that waits for a lock gives it up and comes back: nobody queues behind it for long."""

from __future__ import annotations

import asyncio
import time
from statistics import quantiles

import pytest

from dal.errors import ConfigError, DatabaseError, LockNotAvailable, MigrationError
from dal.locks import held
from dal.migrations import current, downgrade, history, offline_sql, stamp, upgrade
from dal.migrations.migrator import LOCK
from tests.looking import connect, until
from tests.revisions import Revisions

# Of this database: other tests have theirs.
MIGRATORS = "pg_stat_activity WHERE application_name = 'dal migrations' AND datname = current_database()"
ALTER = 'op.add_column("busy", sa.Column("more", sa.Integer))'


@pytest.fixture
async def report(empty_database_url):
    """Another connection, in which somebody reads for long."""
    connection = await connect(empty_database_url, server_settings={"application_name": "report"})
    yield connection
    await connection.close()


@pytest.fixture
def revisions(tmp_path):
    revisions = Revisions(tmp_path)
    revisions.add(
        "1", 'op.create_table("busy", sa.Column("id", sa.Integer, primary_key=True))', 'op.drop_table("busy")'
    )
    return revisions


async def _waits(look):
    return await look.fetchval(f"SELECT count(*) FROM {MIGRATORS} AND wait_event_type = 'Lock'")


async def test_a_writer_waits_no_longer_than_the_lock_timeout_while_a_report_keeps_the_table(
    empty, look, report, revisions
):
    await upgrade(empty, ini=revisions.ini)
    revisions.add("2", ALTER)
    await report.execute("BEGIN; SELECT * FROM busy")
    waits: list[float] = []
    migration = asyncio.create_task(upgrade(empty, ini=revisions.ini, lock_timeout_s=0.2, give_up_after_s=60))
    ended = time.monotonic() + 4
    while time.monotonic() < ended:
        started = time.monotonic()
        await look.execute(f"INSERT INTO busy VALUES ({len(waits)})")
        waits.append(time.monotonic() - started)
        await asyncio.sleep(0.002)
    assert not migration.done()
    assert max(waits) > 0.05  # it did wait behind the ALTER
    assert quantiles(waits, n=100)[98] <= 0.25
    await report.execute("COMMIT")
    await migration
    assert await current(empty) == ("2",)


async def test_who_is_in_the_way_is_named_when_it_gives_up(empty, report, revisions):
    await upgrade(empty, ini=revisions.ini)
    revisions.add("2", ALTER)
    await report.execute("BEGIN")
    await report.fetch("SELECT * FROM busy")
    with pytest.raises(LockNotAvailable) as caught:
        await upgrade(empty, ini=revisions.ini, lock_timeout_s=0.3, give_up_after_s=0.5)
    said = str(caught.value)
    assert "in 2 tries" in said
    assert f"blocked by process {report.get_server_pid()} of 'report' (idle in transaction" in said
    assert "SELECT * FROM busy)" in said
    await report.execute("ROLLBACK")
    assert await current(empty) == ("1",)


async def test_a_deadlock_is_tried_again(empty, look, report, revisions):
    await upgrade(empty, ini=revisions.ini)
    await look.execute("CREATE TABLE other (id int)")
    revisions.add("2", 'op.execute("LOCK TABLE other"); ' + ALTER)
    await report.execute("BEGIN; LOCK TABLE busy")
    migration = asyncio.create_task(upgrade(empty, ini=revisions.ini, lock_timeout_s=30, give_up_after_s=60))
    await until(lambda: _waits(look))
    await report.execute("SET deadlock_timeout = '10s'")
    locking = asyncio.create_task(report.execute("LOCK TABLE other"))
    await locking
    await report.execute("COMMIT")
    await migration
    assert await current(empty) == ("2",)


async def test_a_revision_with_an_autocommit_block_waits_in_it_and_is_not_tried_again(empty, look, report, revisions):
    await upgrade(empty, ini=revisions.ini)
    revisions.add(
        "2",
        """
        with op.get_context().autocommit_block():
            op.create_index("ix_busy", "busy", ["id"], postgresql_concurrently=True)
        op.add_column("busy", sa.Column("more", sa.Integer))
        """,
    )
    await report.execute("BEGIN; INSERT INTO busy VALUES (1)")
    migration = asyncio.create_task(upgrade(empty, ini=revisions.ini, lock_timeout_s=0.1, give_up_after_s=60))
    await until(lambda: _waits(look))
    waited = time.monotonic() + 0.5
    await until(lambda: time.monotonic() > waited)
    assert await _waits(look)  # with no lock_timeout
    await report.execute("COMMIT; BEGIN; SELECT * FROM busy")
    with pytest.raises(LockNotAvailable, match="has committed a part of itself, by an autocommit block"):
        await migration
    await report.execute("ROLLBACK")
    assert await current(empty) == ("1",)
    assert await look.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_busy'::regclass")


async def test_what_follows_an_operation_that_may_be_repeated_is_tried_again(empty, look, report, revisions):
    await upgrade(empty, ini=revisions.ini)
    revisions.add("2", f'op.create_index_concurrently("ix_busy", "busy", ["id"])\n{ALTER}')
    migration = asyncio.create_task(upgrade(empty, ini=revisions.ini, lock_timeout_s=0.1, give_up_after_s=60))
    await report.execute("BEGIN; SELECT * FROM busy")
    await until(lambda: _waits(look))
    waited = time.monotonic() + 1
    await until(lambda: time.monotonic() > waited)
    assert not migration.done()
    await report.execute("COMMIT")
    await migration
    assert await current(empty) == ("2",)


async def test_another_migrator_is_named_when_it_takes_too_long(empty, report, revisions):
    async with held(empty.checkout, LOCK, 0):
        with pytest.raises(
            LockNotAvailable, match=r"'dal\.migrations' was not free within 0\.[0-9]+ s\. Held by process"
        ):
            await upgrade(empty, ini=revisions.ini, wait_s=0.1)
    await upgrade(empty, ini=revisions.ini, wait_s=0.1)


async def test_who_waits_for_another_migrator_holds_no_snapshot(empty, look, revisions):
    async with held(empty.checkout, LOCK, 0):
        waiting = asyncio.create_task(upgrade(empty, ini=revisions.ini))
        asked = f"FROM {MIGRATORS} AND query LIKE '%advisory%'"
        await until(lambda: look.fetchval(f"SELECT count(*) {asked}"))
        for _ in range(100):
            assert {row["state"] for row in await look.fetch(f"SELECT state {asked}")} <= {"idle", "active"}
    await waiting
    assert await current(empty) == ("1",)


async def test_a_database_at_head_is_left_alone(empty, revisions):
    await upgrade(empty, ini=revisions.ini)
    async with held(empty.checkout, LOCK, 0):
        await upgrade(empty, ini=revisions.ini, wait_s=0)


async def test_down_and_stamped_and_up_again(empty, look, revisions):
    await upgrade(empty, ini=revisions.ini)
    await downgrade(empty, "base", ini=revisions.ini)
    assert await current(empty) == ()
    assert await look.fetchval("SELECT to_regclass('busy')") is None
    await stamp(empty, "1", ini=revisions.ini)
    assert await current(empty) == ("1",)
    with pytest.raises(MigrationError, match=r"^cannot downgrade to 'nowhere'"):
        await downgrade(empty, "nowhere", ini=revisions.ini)


def test_what_there_is_can_be_listed_and_rendered(revisions):
    revisions.add("2", ALTER)
    assert [(each.revision, each.down, each.is_head) for each in history(ini=revisions.ini)] == [
        ("2", ("1",), True),
        ("1", (), False),
    ]
    assert "ALTER TABLE busy ADD COLUMN more INTEGER" in offline_sql("1:2", ini=revisions.ini)


async def test_times_are_taken_from_the_file_and_must_be_some(empty, report, tmp_path):
    revisions = Revisions(tmp_path, more="\n[dal]\nlock_timeout_s = 0.2\ngive_up_after_s = 0.1\n")
    revisions.add("1", 'op.execute("CREATE TABLE busy (id int)")')
    await upgrade(empty, ini=revisions.ini)
    revisions.add("2", ALTER)
    await report.execute("BEGIN; SELECT * FROM busy")
    with pytest.raises(LockNotAvailable, match="in 1 tries"):
        await upgrade(empty, ini=revisions.ini)
    with pytest.raises(ConfigError, match=r"lock_timeout_s=0\.0 is no time to wait"):
        await upgrade(empty, ini=revisions.ini, lock_timeout_s=0)
    revisions.ini.write_text(revisions.ini.read_text().replace("0.2", "soon"))
    with pytest.raises(ConfigError, match=r"lock_timeout_s in section \[dal\] is 'soon'"):
        await upgrade(empty, ini=revisions.ini)
    with pytest.raises(ConfigError, match=r"there is no .*nowhere\.ini"):
        await upgrade(empty, ini=tmp_path / "nowhere.ini")


async def test_who_is_cancelled_while_it_waits_leaves_no_backend_and_no_lock(empty, look, report, revisions):
    await upgrade(empty, ini=revisions.ini)
    revisions.add("2", ALTER)
    await report.execute("BEGIN; SELECT * FROM busy")
    migration = asyncio.create_task(upgrade(empty, ini=revisions.ini, lock_timeout_s=30))
    await until(lambda: _waits(look))
    migration.cancel()
    with pytest.raises(asyncio.CancelledError):
        await migration
    await until(lambda: look.fetchval(f"SELECT count(*) = 0 FROM {MIGRATORS}"))
    await look.execute("INSERT INTO busy VALUES (1)")
    await report.execute("COMMIT")
    await upgrade(empty, ini=revisions.ini)
    assert await current(empty) == ("2",)


async def test_a_migrator_whose_backend_is_killed_says_so_and_the_next_one_goes_on(empty, look, report, revisions):
    await upgrade(empty, ini=revisions.ini)
    revisions.add("2", ALTER)
    await report.execute("BEGIN; SELECT * FROM busy")
    migration = asyncio.create_task(upgrade(empty, ini=revisions.ini, lock_timeout_s=30))
    await until(lambda: _waits(look))
    await look.execute(f"SELECT pg_terminate_backend(pid) FROM {MIGRATORS}")
    with pytest.raises(DatabaseError):
        await migration
    await report.execute("COMMIT")
    await upgrade(empty, ini=revisions.ini)
    assert await current(empty) == ("2",)
