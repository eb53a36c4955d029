"""What `dal.testing.migrations` demands of revisions: there and back to the same schema, and nobody kept waiting."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from dal.errors import ConfigError, DatabaseError
from dal.migrations import current, upgrade
from dal.testing.migrations import Migrations, assert_round_trips, upgraded_under_load
from tests.conftest import INI
from tests.revisions import Revisions

TABLE = 'op.create_table("busy", sa.Column("id", sa.Integer, primary_key=True), sa.Column("word", sa.Text))'


@pytest.fixture
def revisions(tmp_path):
    revisions = Revisions(tmp_path)
    revisions.add("1", TABLE, 'op.drop_table("busy")')
    return revisions


async def _write(db):
    async with db.writing() as session:
        await session.execute(text("INSERT INTO busy (word) SELECT 'a'"))


async def _fill(db):
    await db.execute_script("INSERT INTO busy SELECT n, 'word ' || n FROM generate_series(1, 10) AS n")


async def test_the_shop_goes_there_and_back_with_rows_in_it(pg_kit):
    nation = "INSERT INTO region (name, comment) VALUES ('a', ''); INSERT INTO nation VALUES (1, 'b', 1, '')"
    customer = "INSERT INTO customer VALUES (1, 'c', '', 1, '', 0, '', '')"

    async def fill(db):
        await db.execute_script(f"{nation}; {customer}")

    await assert_round_trips(Migrations(ini=INI, seeds={"0001": fill}), pg_kit.empty_database)


async def test_what_goes_there_and_back_to_the_same_passes(revisions, pg_kit):
    revisions.add("2", 'op.add_column("busy", sa.Column("more", sa.Integer))', 'op.drop_column("busy", "more")')
    revisions.add("3", 'op.create_index("ix", "busy", ["word"])', 'op.drop_index("ix")')
    await assert_round_trips(Migrations(ini=revisions.ini, seeds={"1": _fill}), pg_kit.empty_database)


async def test_what_a_downgrade_leaves_is_named_with_its_revision(revisions, pg_kit):
    revisions.add("2", 'op.execute("CREATE SEQUENCE left_over")', "pass")
    revisions.add("3", 'op.alter_column("busy", "word", type_=sa.String(9))', "pass")
    revisions.add("4", 'op.add_column("busy", sa.Column("more", sa.Integer))', 'op.drop_column("busy", "more")')
    with pytest.raises(AssertionError) as caught:
        await assert_round_trips(Migrations(ini=revisions.ini), pg_kit.empty_database)
    assert str(caught.value).splitlines() == [
        "revision 3 (3.py): its downgrade leaves column public.busy.word as character varying(9), which was text",
        "revision 2 (2.py): its downgrade leaves sequence public.left_over as SEQUENCE AS bigint, which was missing",
    ]


async def test_what_only_fails_on_rows_fails_on_the_seeded_ones(revisions, pg_kit):
    revisions.add("2", 'op.alter_column("busy", "word", nullable=True)', 'op.execute("UPDATE busy SET id = 1")')
    await assert_round_trips(Migrations(ini=revisions.ini), pg_kit.empty_database)
    with pytest.raises(DatabaseError) as caught:
        await assert_round_trips(Migrations(ini=revisions.ini, seeds={"1": _fill}), pg_kit.empty_database)
    assert caught.value.__notes__ == [
        "revision 2 (2.py) could not be downgraded. If nobody goes back from it, name it in "
        "Migrations(irreversible=...)"
    ]


async def test_below_a_revision_that_nobody_goes_back_from_the_others_are_tried(revisions, pg_kit):
    revisions.add("2", 'op.add_column("busy", sa.Column("more", sa.Integer))', "raise NotImplementedError")
    revisions.add("3", 'op.create_index("ix", "busy", ["word"])', 'op.drop_index("ix")')
    with pytest.raises(NotImplementedError):
        await assert_round_trips(Migrations(ini=revisions.ini), pg_kit.empty_database)
    marked = Migrations(ini=revisions.ini, irreversible={"2"})
    await assert_round_trips(marked, pg_kit.empty_database)
    first = revisions.folder / "versions" / "1.py"
    first.write_text(first.read_text().replace('op.drop_table("busy")', 'op.execute("ALTER TABLE busy RENAME TO b")'))
    with pytest.raises(AssertionError, match=r"revision 1 \(1\.py\): its downgrade leaves table public\.b as TABLE"):
        await assert_round_trips(marked, pg_kit.empty_database)


async def test_two_branches_and_their_merge_are_gone_back_one_by_one(revisions, pg_kit):
    for name in ("left", "right"):
        path = revisions.add(name, f'op.execute("CREATE SEQUENCE s_{name}")', f'op.execute("DROP SEQUENCE s_{name}")')
        path.write_text(re.sub(r"= '(left|right)', '\w+'", r"= '\1', '1'", path.read_text()))
    path = revisions.add("both", "pass")
    path.write_text(path.read_text().replace("'right'", "('left', 'right')"))
    await assert_round_trips(Migrations(ini=revisions.ini), pg_kit.empty_database)


async def test_a_seed_of_a_revision_that_is_not_there_is_refused(revisions, pg_kit):
    with pytest.raises(ConfigError, match=r"there is no revision 9 in .*alembic\.ini"):
        await assert_round_trips(Migrations(ini=revisions.ini, seeds={"9": _fill}), pg_kit.empty_database)


async def test_writers_who_wait_too_long_fail_with_the_revision_named(empty_db, revisions):
    await upgrade(empty_db, ini=revisions.ini)
    await empty_db.execute_script("ALTER TABLE busy DROP CONSTRAINT busy_pkey, ALTER id DROP NOT NULL")
    revisions.add("2", 'op.add_column("busy", sa.Column("more", sa.Integer))')
    load = await upgraded_under_load(empty_db, _write, longest_wait_s=5, ini=revisions.ini)
    assert load.count > 8
    assert load.p99_s <= load.longest_s
    revisions.add("3", 'op.execute("LOCK TABLE busy"); op.execute("SELECT pg_sleep(0.6)")')
    with pytest.raises(AssertionError, match=r"a write waited longer than 500 ms: \d+ writes, .* during revision 3"):
        await upgraded_under_load(empty_db, _write, longest_wait_s=0.5, ini=revisions.ini)
    assert await current(empty_db) == ("3",)


async def test_a_write_that_a_revision_makes_fail_is_raised_with_the_revision_named(empty_db, revisions):
    await upgrade(empty_db, ini=revisions.ini)
    await empty_db.execute_script("ALTER TABLE busy DROP CONSTRAINT busy_pkey, ALTER id DROP NOT NULL")
    revisions.add("2", 'op.drop_column("busy", "word")')
    with pytest.raises(DatabaseError) as caught:
        await upgraded_under_load(empty_db, _write, longest_wait_s=5, ini=revisions.ini)
    assert caught.value.__notes__[-1] in ("during revision 2", "during revision the end")
