"""Upgrades and downgrades that were broken on purpose: relative targets, locks that come late, branches, odd names."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext

import pytest
from alembic import command
from alembic.config import Config

from dal.errors import LockNotAvailable, MigrationError
from dal.locks import held
from dal.migrations import check_at_head, current, downgrade, upgrade
from dal.migrations.drift import check
from dal.migrations.migrator import LOCK
from tests.looking import until
from tests.revisions import Revisions


@pytest.fixture
def revisions(tmp_path):
    """Four revisions that make a table each."""
    revisions = Revisions(tmp_path)
    for n in "1234":
        revisions.add(n, f'op.create_table("t{n}", sa.Column("id", sa.Integer))', f'op.drop_table("t{n}")')
    return revisions


async def _meanwhile(look, table, moving, caplog):
    """Keep *table* from being changed until the migration has come back for it."""
    async with look.transaction():
        await look.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        with caplog.at_level(logging.INFO, "dal.migrations"):
            task = asyncio.create_task(moving)
            await until(lambda: "a revision waits for a lock; try 2" in caplog.text or task.done())
    await task


async def test_a_relative_downgrade_that_waits_for_a_lock_goes_no_further_than_it_was_told(
    empty, look, revisions, caplog
):
    await upgrade(empty, ini=revisions.ini)
    going = downgrade(empty, "-2", ini=revisions.ini, lock_timeout_s=0.05)
    await _meanwhile(look, "t3", going, caplog)
    assert await current(empty) == ("2",)


async def test_a_relative_upgrade_that_waits_for_a_lock_goes_no_further_than_it_was_told(
    empty, look, revisions, caplog
):
    revisions.add("5", 'op.add_column("t1", sa.Column("more", sa.Integer))')
    revisions.add("6", "pass")
    await upgrade(empty, "3", ini=revisions.ini)
    going = upgrade(empty, "+2", ini=revisions.ini, lock_timeout_s=0.05)
    await _meanwhile(look, "t1", going, caplog)
    assert await current(empty) == ("5",)


@pytest.fixture
def dependent(tmp_path):
    """Two branches, of which one depends on the other: at head, Alembic writes down the head of one."""
    revisions = Revisions(tmp_path, env="from sqlalchemy import MetaData\nrun_env(MetaData())")
    revisions.add("a1", 'op.create_table("a", sa.Column("id", sa.Integer))', 'op.drop_table("a")')
    path = revisions.add("b1", 'op.create_table("b", sa.Column("id", sa.Integer))', 'op.drop_table("b")')
    path.write_text(path.read_text().replace("'b1', 'a1'\n", "'b1', None\ndepends_on = 'a1'\n"))
    return revisions


async def test_a_database_with_a_branch_that_depends_on_another_is_at_head(empty, dependent):
    await upgrade(empty, "heads", ini=dependent.ini)
    assert await current(empty) == ("b1",)
    await check_at_head(empty, ini=dependent.ini)


async def test_a_database_at_head_with_such_branches_is_not_connected_to_again(empty, look, dependent):
    await upgrade(empty, "heads", ini=dependent.ini)
    async with held(lambda: nullcontext(look), LOCK, 0):
        await upgrade(empty, "heads", ini=dependent.ini, wait_s=0.1)


async def test_such_branches_are_checked_for_drift(empty, dependent):
    await upgrade(empty, "heads", ini=dependent.ini)
    drift = await check(empty, ini=dependent.ini, ignore=["public.[ab]"])
    assert (drift.pending, drift.differences) == ((), ())


def _by_alembic(url, revisions, do=command.upgrade, to="head"):
    """Migrate as a program does that knows only Alembic: without a command line."""
    config = Config(revisions.ini)
    config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False).replace("%", "%%"))
    do(config, to)


async def test_alembic_without_its_command_line_waits_for_another_migrator(
    empty_database_url, look, revisions, tmp_path
):
    revisions.ini.write_text(revisions.ini.read_text() + "[dal]\nwait_s = 0.2\n")
    async with held(lambda: nullcontext(look), LOCK, 0):
        with pytest.raises(LockNotAvailable):
            await asyncio.to_thread(_by_alembic, empty_database_url, revisions)
    await asyncio.to_thread(_by_alembic, empty_database_url, revisions)
    assert await look.fetchval("SELECT version_num FROM alembic_version") == "4"


async def test_alembic_within_a_running_loop_says_what_to_call(empty_database_url, revisions):
    with pytest.raises(MigrationError, match=r"within a running loop: await dal\.migrations\.upgrade"):
        _by_alembic(empty_database_url, revisions)


async def test_alembic_without_its_command_line_goes_back_under_the_lock_too(
    empty, empty_database_url, look, revisions
):
    revisions.ini.write_text(revisions.ini.read_text() + "[dal]\nwait_s = 0.2\n")
    await upgrade(empty, ini=revisions.ini)
    async with held(lambda: nullcontext(look), LOCK, 0):
        for do in (command.downgrade, command.stamp):
            with pytest.raises(LockNotAvailable):
                await asyncio.to_thread(_by_alembic, empty_database_url, revisions, do, "-2")
        await asyncio.to_thread(_by_alembic, empty_database_url, revisions, command.current, None)
    await asyncio.to_thread(_by_alembic, empty_database_url, revisions, command.downgrade, "-2")
    assert await current(empty) == ("2",)
