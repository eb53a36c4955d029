"""Migrations by the `alembic` command, as a deployment runs them."""

import asyncio
import os
import subprocess
import sys

from dal import Database, PoolConfig
from dal.locks import held
from dal.migrations import upgrade
from dal.migrations.migrator import LOCK
from tests.conftest import INI, ROOT
from tests.looking import connect
from tests.revisions import Revisions

HEAD = "0003"


def _alembic(*arguments, **environ):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAL_")}
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def _url(url):
    return url.render_as_string(hide_password=False)


async def _revision(url):
    connection = await connect(url)
    try:
        return await connection.fetchval("SELECT version_num FROM alembic_version")
    finally:
        await connection.close()


async def test_upgrade_head_brings_a_database_to_head(empty_database_url):
    done = _alembic("upgrade", "head", DAL_DATABASE_URL=_url(empty_database_url))
    assert done.returncode == 0, done.stderr
    assert await _revision(empty_database_url) == HEAD


async def test_check_of_a_database_at_head_finds_no_difference(empty_database_url):
    async with Database(empty_database_url, pool=PoolConfig(size=1)) as db:
        await upgrade(db, ini=INI)
    done = _alembic("check", DAL_DATABASE_URL=_url(empty_database_url))
    assert "No new upgrade operations detected." in done.stdout, done.stderr


async def test_offline_upgrade_prints_sql_that_works(empty_database_url):
    done = _alembic("upgrade", "0002", "--sql")  # what is sent at once is one transaction, which 0003 cannot be in
    assert done.returncode == 0, done.stderr
    connection = await connect(empty_database_url)
    await connection.execute(done.stdout)
    await connection.close()
    assert await _revision(empty_database_url) == "0002"


async def test_the_command_waits_for_another_migrator_only_to_change_something(empty_database_url, tmp_path):
    revisions = Revisions(tmp_path, more="\n[dal]\nwait_s = 0.1\n")
    revisions.add("1", 'op.execute("CREATE TABLE busy (id int)")')
    ini = ("-c", str(revisions.ini))
    async with Database(empty_database_url) as db, held(db.checkout, LOCK, 0):
        url = _url(empty_database_url)
        done = await asyncio.to_thread(_alembic, *ini, "upgrade", "head", DAL_DATABASE_URL=url)
        assert "the advisory lock 'dal.migrations' was not free within" in done.stderr
        assert (await asyncio.to_thread(_alembic, *ini, "current", DAL_DATABASE_URL=url)).returncode == 0
    assert _alembic(*ini, "upgrade", "head", DAL_DATABASE_URL=url).returncode == 0


def test_without_a_url_the_variable_is_named():
    done = _alembic("upgrade", "head")
    assert done.returncode != 0
    assert "DAL_DATABASE_URL is not set" in done.stderr
