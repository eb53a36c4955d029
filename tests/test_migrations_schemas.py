"""Tenants that have a schema each: every one has its tables and its revision."""

from __future__ import annotations

import pytest

from dal.errors import DuplicateTable, MigrationError
from dal.migrations import current, downgrade, for_each_schema, upgrade
from tests.revisions import Revisions

TENANTS = ["one", 'tenant "two"', "Three"]


@pytest.fixture
async def tenants(look):
    """Make their schemas."""
    for tenant in TENANTS:
        quoted = tenant.replace('"', '""')
        await look.execute(f'CREATE SCHEMA "{quoted}"')
    return look


@pytest.fixture
def revisions(tmp_path):
    revisions = Revisions(tmp_path)
    revisions.add(
        "1", 'op.create_table("note", sa.Column("id", sa.Integer, primary_key=True))', 'op.drop_table("note")'
    )
    revisions.add("2", 'op.create_index("ix_note", "note", ["id"])', 'op.drop_index("ix_note")')
    return revisions


async def _schemas_of(look, name):
    found = await look.fetch("SELECT schemaname FROM pg_tables WHERE tablename = $1 ORDER BY 1", name)
    return [row[0] for row in found]


async def test_each_schema_has_its_tables_and_its_revision(empty, tenants, revisions):
    await for_each_schema(empty, TENANTS, upgrade, ini=revisions.ini)
    assert await _schemas_of(tenants, "note") == sorted(TENANTS)
    assert await _schemas_of(tenants, "alembic_version") == sorted(TENANTS)
    await downgrade(empty, "1", ini=revisions.ini, schema=TENANTS[1])
    assert [await current(empty, schema=tenant) for tenant in TENANTS] == [("2",), ("1",), ("2",)]
    await for_each_schema(empty, TENANTS, downgrade, "base", ini=revisions.ini)
    assert await _schemas_of(tenants, "note") == []


async def test_a_schema_that_fails_is_named_and_the_others_are_done(empty, tenants, revisions):
    await tenants.execute("CREATE TABLE one.note ()")
    with pytest.raises(MigrationError, match=r"1 of 3 schemas failed \(one\), and the others are done") as caught:
        await for_each_schema(empty, TENANTS, upgrade, ini=revisions.ini)
    assert isinstance(caught.value.__cause__, DuplicateTable)
    assert [await current(empty, schema=tenant) for tenant in TENANTS] == [(), ("2",), ("2",)]
