"""Scratch databases of drift whose process was killed, and those that are in use."""

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import pytest

from dal.migrations import upgrade
from dal.migrations.drift import check
from tests.looking import until
from tests.revisions import Revisions

SLEEPING = """
import asyncio, sys
from pathlib import Path
from dal import Database
from dal.migrations.drift import check, scratch

scratch._PREFIX = sys.argv[3]

async def main():
    async with Database(sys.argv[1]) as db:
        await check(db, ini=Path(sys.argv[2]))

asyncio.run(main())
"""


@pytest.fixture
def prefix(monkeypatch):
    """Call them so that no other test meets them."""
    prefix = f"dal_drift_{uuid4().hex[:8]}_"
    monkeypatch.setattr("dal.migrations.drift.scratch._PREFIX", prefix)
    return prefix


@pytest.fixture
async def revisions(empty, tmp_path):
    revisions = Revisions(tmp_path, env="from sqlalchemy import MetaData\nrun_env(MetaData())")
    revisions.add("0001", "pass")
    await upgrade(empty, ini=revisions.ini)
    return revisions


async def _names(look, prefix):
    found = await look.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
    return {row[0] for row in found}


async def test_that_of_a_killed_process_is_dropped_by_the_next_check_and_one_in_use_is_not(
    empty, empty_database_url, look, revisions, prefix
):
    path = revisions.folder / "versions" / "0001.py"
    text = path.read_text()
    path.write_text(text.replace("    pass", '    op.execute("SELECT pg_sleep(60)")', 1))
    url = empty_database_url.render_as_string(hide_password=False)
    busy = subprocess.Popen([sys.executable, "-c", SLEEPING, url, str(revisions.ini), prefix])  # noqa: ASYNC220 # is killed
    try:

        async def sleeps():
            return await look.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE starts_with(datname, $1) AND query LIKE '%pg_sleep(60)'",
                prefix,
            )

        await until(sleeps)
        path.write_text(text)
        [used] = await _names(look, prefix)
        await check(empty, ini=revisions.ini)
        assert await _names(look, prefix) == {used}
    finally:
        busy.kill()
        busy.wait()
    await until(lambda: _unlocked(look))
    await check(empty, ini=revisions.ini)
    assert await _names(look, prefix) == set()


async def _unlocked(look):
    return not await look.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dal drift' AND datname = current_database()"
    )


async def test_one_that_is_only_called_like_it_is_left_alone(empty, look, revisions, prefix):
    await look.execute(f'CREATE DATABASE "{prefix}of_ours"')
    try:
        await check(empty, ini=revisions.ini)
        assert await _names(look, prefix) == {f"{prefix}of_ours"}
    finally:
        await look.execute(f'DROP DATABASE "{prefix}of_ours"')
