"""The ready tests of migrations, with revisions that lose data and leave the schema as it shall be."""

from __future__ import annotations

import pytest

from dal.testing.migrations import Migrations, assert_round_trips
from tests.revisions import Revisions

TABLE = 'op.create_table("Note", sa.Column("id", sa.Integer), sa.Column("The words", sa.Text))'


async def _seed(db):
    async with db.begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("""INSERT INTO "Note" VALUES (1, 'a'), (2, 'b'), (3, NULL)""")


@pytest.fixture
def trip(tmp_path, pg_kit):
    """Go up and down a second revision, with rows of the first."""

    async def trip(up, down="pass", **options):
        revisions = Revisions(tmp_path)
        revisions.add("0001", TABLE, 'op.drop_table("Note")')
        revisions.add("0002", up, down)
        migrations = Migrations(ini=revisions.ini, seeds={"0001": _seed}, **options)
        await assert_round_trips(migrations, pg_kit.empty_database)

    return trip


AGAIN = 'op.drop_column("Note", "The words")\nop.add_column("Note", sa.Column("The words", sa.Text))'


@pytest.mark.parametrize(
    ("up", "down", "said"),
    [
        (
            """op.execute('DELETE FROM "Note" WHERE id = 1')""",
            "pass",
            r"loses 1 of 3 rows of public\.Note when it is upg",
        ),
        (AGAIN, "pass", r"loses 2 of 2 values of public\.Note\.The words when it is upgraded"),
        ("pass", AGAIN, r"loses 2 of 2 values of public\.Note\.The words when it is downgraded"),
        ("pass", f'op.drop_table("Note")\n{TABLE}', r"loses 3 of 3 rows of public\.Note when it is downgraded"),
    ],
)
async def test_a_revision_that_loses_data_is_found(trip, up, down, said):
    with pytest.raises(AssertionError, match=rf"^revision 0002 \(0002\.py\) {said}"):
        await trip(up, down)


async def test_one_that_is_said_to_lose_some_is_not(trip):
    await trip(AGAIN, losing=["0002"])


async def test_what_a_downgrade_takes_back_is_not_lost(trip):
    await trip(
        """op.add_column("Note", sa.Column("more", sa.Integer, server_default="1"))\nop.create_table("more")""",
        'op.drop_column("Note", "more")\nop.drop_table("more")',
    )
