"""The ready tests of migrations, imported into a test file: in two inner runs."""

from __future__ import annotations

import pytest

from tests.inner_runs import ALONE, AUTO, CONFTEST, NO_CACHE, project
from tests.revisions import Revisions

OVERRIDDEN = """
from dal.testing.migrations import Migrations

async def fill(db):
    await db.execute_script("INSERT INTO items (name) VALUES ('a')")


@pytest.fixture(scope="session")
def pg_migrations():
    return Migrations(ini=Path(__file__).with_name("alembic.ini"), seeds={"1": fill})
"""
ITEMS = """
op.create_table(
    "items", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String, nullable=False),
    sa.Column("parent_id", sa.Integer), sa.UniqueConstraint("name"),
    sa.ForeignKeyConstraint(["parent_id"], ["items.id"], deferrable=True, initially="DEFERRED"),
)
"""
TESTS = "from dal.testing.migrations import *\n"
SINGLE, ROUND, MODELS = (
    "test_there_is_a_single_head",
    "test_every_revision_goes_up_and_down_and_up_again",
    "test_the_models_are_what_the_migrations_make",
)


def _run(server, folder, revise):
    files = {"test_migrations.py": TESTS, "conftest.py": CONFTEST + OVERRIDDEN}
    made = project(folder, server, files)
    revisions = Revisions(made.folder, env="from shop import Base\nrun_env(Base.metadata)")
    revisions.add("1", ITEMS, 'op.drop_table("items")')
    revise(revisions)
    return made.run(*AUTO, *ALONE, *NO_CACHE)


def test_the_ready_tests_pass_on_a_history_that_is_sound(pg_server, tmp_path):
    ended = _run(pg_server, tmp_path, lambda revisions: None)
    ended.passed(SINGLE, ROUND, MODELS)


def test_the_ready_tests_say_what_is_wrong_with_one_that_is_not(pg_server, tmp_path):
    def revise(revisions):
        revisions.add("2", 'op.add_column("items", sa.Column("more", sa.Integer))')
        path = revisions.add("3", "pass")
        path.write_text(path.read_text().replace("'3', '2'", "'3', '1'"))

    ended = _run(pg_server, tmp_path, revise)
    assert "there are 2 heads, 2, 3: alembic merge heads" in ended.failure(SINGLE).text
    assert "revision 2 (2.py): its downgrade leaves column public.items.more as integer" in ended.failure(ROUND).text
    assert "column public.items.more, which the models lack" in ended.failure(MODELS).text


@pytest.mark.parametrize("isolation", ["sandbox", "database"])
def test_an_empty_database_is_lent_whatever_the_isolation(pg_server, tmp_path, isolation):
    test = """
        async def test_it(empty_db):
            await empty_db.execute_script("CREATE TABLE items (id int)")
    """
    ended = project(tmp_path, pg_server, {"test_it.py": test}).run(
        *AUTO, *ALONE, *NO_CACHE, f"-odal_isolation={isolation}"
    )
    ended.passed("test_it")
