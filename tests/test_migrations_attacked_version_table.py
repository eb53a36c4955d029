"""A version table of a name of its own, as env.py may have it: whoever asks where a database is finds it."""

from __future__ import annotations

import pytest

from dal.migrations import check_at_head, current, upgrade
from tests.command import Command
from tests.revisions import Revisions

ENV = 'from sqlalchemy import MetaData\nrun_env(MetaData(), version_table="Our Versions", version_table_schema="meta")'


@pytest.fixture
async def revisions(empty, look, tmp_path):
    """One revision, which has run."""
    await look.execute("CREATE SCHEMA meta")
    revisions = Revisions(tmp_path, env=ENV)
    revisions.add("0001", 'op.create_table("t", sa.Column("id", sa.Integer))', 'op.drop_table("t")')
    await upgrade(empty, ini=revisions.ini)
    return revisions


async def test_where_the_database_is_is_found_there(empty, look, revisions):
    assert await look.fetchval('SELECT version_num FROM meta."Our Versions"') == "0001"
    assert await current(empty, ini=revisions.ini) == ("0001",)
    await check_at_head(empty, ini=revisions.ini)


async def test_the_command_finds_it_and_asks_before_data_is_lost(empty_database_url, look, revisions):
    command = Command(empty_database_url, revisions.folder)
    assert (command("db", "current").stdout, command("db", "current").returncode) == ("0001\n", 0)
    done = command("db", "downgrade", "base")
    assert (done.returncode, "the downgrade loses data (DROP TABLE t)" in done.stderr) == (2, True)
    assert await look.fetchval("SELECT count(*) FROM t") == 0
    assert command("db", "downgrade", "base", "--yes").returncode == 0
