"""Tenants: a schema that fails in the middle in whatever way, and callers who name schemas wrongly."""

from __future__ import annotations

import pytest

from dal.errors import ConfigError, MigrationError
from dal.migrations import current, for_each_schema, upgrade
from tests.command import Command
from tests.revisions import Revisions

TENANTS = ["one", "two", "three"]
FAILS = """
if op.get_bind().dialect.default_schema_name == "two":
    raise ValueError("a value of a row: secret")
op.create_table("t", sa.Column("id", sa.Integer))
"""


@pytest.fixture
async def revisions(look, tmp_path):
    for tenant in TENANTS:
        await look.execute(f"CREATE SCHEMA {tenant}")
    revisions = Revisions(tmp_path)
    revisions.add("1", FAILS)
    return revisions


async def test_a_revision_that_raises_an_error_of_its_own_keeps_no_other_schema_from_being_done(empty, revisions):
    with pytest.raises(MigrationError, match=r"1 of 3 schemas failed \(two\), .*the first one: ValueError$") as caught:
        await for_each_schema(empty, TENANTS, upgrade, ini=revisions.ini)
    assert isinstance(caught.value.__cause__, ValueError)
    assert [await current(empty, schema=tenant) for tenant in TENANTS] == [("1",), (), ("1",)]


async def test_one_name_is_no_list_of_names(empty, revisions):
    with pytest.raises(ConfigError, match=r"schemas='one' is one name"):
        await for_each_schema(empty, "one", upgrade, ini=revisions.ini)


async def test_a_schema_that_is_not_there_fails_and_writes_nothing_elsewhere(empty, look, revisions):
    with pytest.raises(MigrationError, match=r"1 of 1 schemas failed \(tow\)"):
        await for_each_schema(empty, ["tow"], upgrade, ini=revisions.ini)
    assert await look.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_a_script_for_a_schema_is_refused(empty_database_url, revisions):
    done = Command(empty_database_url, revisions.folder)("db", "upgrade", "--sql", "--schema", "one")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--sql writes nothing for a --schema" in done.stderr
