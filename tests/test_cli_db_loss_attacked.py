"""A downgrade that loses data, hidden from who asks: in a second schema, and by a revision that cannot be rendered."""

from __future__ import annotations

from dal.migrations import downgrade, for_each_schema, upgrade
from tests.command import Command
from tests.revisions import Revisions

TABLE = 'op.create_table("t", sa.Column("id", sa.Integer))'


async def test_data_that_only_the_second_schema_loses_is_asked_about(empty, empty_database_url, look, tmp_path):
    await look.execute("CREATE SCHEMA one; CREATE SCHEMA two")
    revisions = Revisions(tmp_path)
    revisions.add("0001", TABLE, 'op.drop_table("t")')
    await for_each_schema(empty, ["one", "two"], upgrade, ini=revisions.ini)
    await downgrade(empty, "base", schema="one", ini=revisions.ini)
    done = Command(empty_database_url, tmp_path)("db", "downgrade", "base", "--schema", "one", "--schema", "two")
    assert (done.returncode, "(DROP TABLE t)" in done.stderr) == (2, True), done.stderr
    assert await look.fetchval("SELECT to_regclass('two.t') IS NOT NULL")


async def test_a_downgrade_that_reads_rows_is_asked_about(empty, empty_database_url, tmp_path):
    revisions = Revisions(tmp_path)
    revisions.add("0001", TABLE, 'op.get_bind().execute(sa.text("SELECT 1")).scalar_one()\nop.drop_table("t")')
    await upgrade(empty, ini=revisions.ini)
    done = Command(empty_database_url, tmp_path)("db", "downgrade", "base")
    assert done.returncode == 2
    assert "the downgrade loses data (what cannot be told before: AttributeError)" in done.stderr
    assert Command(empty_database_url, tmp_path)("db", "downgrade", "base", "--yes").returncode == 0
