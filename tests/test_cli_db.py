"""`dal db`: a new service's migrations from nothing, and what each command says and gives back."""

from __future__ import annotations

import asyncio
import json

import pytest

from dal import Database
from dal.locks import held
from dal.migrations.migrator import LOCK
from tests.command import Command
from tests.looking import connect, until

MODELS = """
from sqlalchemy import BigInteger, Identity
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    words: Mapped[str]
"""


@pytest.fixture
def db(empty_database_url, tmp_path):
    """Give `dal db`, in a folder with models and migrations that were begun just now."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "models.py").write_text(MODELS)
    command = Command(empty_database_url, tmp_path)

    def run(*arguments):
        return command("db", *arguments)

    run.folder = tmp_path
    done = run("init", "app.models:Base")
    assert (done.returncode, done.stderr) == (0, "")
    return run


def _one_line(done, code):
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    return done.stderr


@pytest.fixture
def noted(db):
    """Give it with a first revision, which makes a table."""
    done = db("revision", "--autogenerate", "-m", "notes", "--rev-id", "0001")
    assert done.returncode == 0, done.stderr
    return db


async def test_a_new_service_is_at_head_in_four_commands(noted, look):
    done = noted("upgrade")
    assert (done.returncode, done.stderr) == (0, "ran 0001\n")
    assert done.stdout.startswith("at 0001; 1 revisions in ")
    assert await look.fetchval("SELECT to_regclass('note') IS NOT NULL")
    assert noted("current").stdout == "0001\n"


def test_what_is_there_is_not_overwritten(db):
    assert "alembic.ini is there already, and nothing was written" in _one_line(db("init", "app.models:Base"), 2)
    assert "names no models" in _one_line(db("init", "app/models.py"), 2)


def test_a_database_that_is_behind_is_exit_code_1(noted):
    done = noted("current")
    assert (done.returncode, done.stdout) == (1, "base; the code is at 0001\n")
    assert json.loads(noted("current", "--json").stdout) == {
        "heads": ["0001"],
        "at": [{"schema": None, "revisions": []}],
    }


def test_the_history_is_a_table_or_json(noted):
    noted("revision", "-m", "more", "--rev-id", "0002")
    shown = noted("history").stdout
    assert "0002 (head)" in shown
    assert [each["revision"] for each in json.loads(noted("history", "--json").stdout)] == ["0002", "0001"]


async def test_the_sql_of_an_upgrade_needs_no_database(noted, look):
    sql = noted("upgrade", "--sql").stdout
    assert "CREATE TABLE note" in sql
    assert await look.fetchval("SELECT to_regclass('note')") is None


async def test_a_downgrade_that_loses_data_wants_to_be_agreed_to(noted, look):
    noted("upgrade")
    said = _one_line(noted("downgrade", "base"), 2)
    assert "the downgrade loses data (DROP TABLE note): give --yes" in said
    assert "DROP TABLE note" in _one_line(noted("downgrade", "--", "-1"), 2)
    assert await look.fetchval("SELECT to_regclass('note') IS NOT NULL")
    done = noted("downgrade", "base", "--yes")
    assert (done.returncode, done.stdout[:8]) == (0, "at base;")
    assert await look.fetchval("SELECT to_regclass('note')") is None


async def test_a_downgrade_that_loses_nothing_asks_nothing(noted, look):
    noted("revision", "-m", "more", "--rev-id", "0002")
    noted("upgrade")
    done = noted("downgrade", "0001")
    assert (done.returncode, done.stdout[:8]) == (0, "at 0001;")


async def test_a_stamp_changes_the_revision_alone(noted, look):
    assert noted("stamp").returncode == 0
    assert noted("current").stdout == "0001\n"
    assert await look.fetchval("SELECT to_regclass('note')") is None


async def test_each_schema_is_migrated(noted, look):
    await look.execute("CREATE SCHEMA one; CREATE SCHEMA two")
    assert noted("upgrade", "--schema", "one", "--schema", "two").returncode == 0
    assert noted("current", "--schema", "one", "--schema", "two").stdout == "one: 0001\ntwo: 0001\n"


async def test_a_revision_that_fails_is_exit_code_1_in_one_line(noted, look):
    await look.execute("CREATE TABLE note ()")
    assert 'relation "note" already exists' in _one_line(noted("upgrade"), 1)


async def test_another_migrator_is_waited_for_and_named(noted, empty_database_url):
    async with Database(empty_database_url) as other, held(other.checkout, LOCK, 0):
        done = await asyncio.to_thread(noted, "upgrade", "--wait", "0.1")
        assert "'dal.migrations' was not free within" in _one_line(done, 1)
        assert "migrates." in (await asyncio.to_thread(noted, "locks")).stdout


async def test_who_waits_for_whom_is_shown(noted, look, empty_database_url):
    noted("upgrade")
    other = await connect(empty_database_url, server_settings={"application_name": "other"})
    try:
        await look.execute("BEGIN; LOCK TABLE note")
        waiting = asyncio.create_task(other.execute("SELECT * FROM note"))
        await until(lambda: _waits(look))
        found = json.loads((await asyncio.to_thread(noted, "locks", "--json")).stdout)
        assert [(each["pid"], each["blocked_by"]) for each in found["waits"] if each["application"] == "other"] == [
            (other.get_server_pid(), [look.get_server_pid()])
        ]
        shown = (await asyncio.to_thread(noted, "locks")).stdout
        assert "nobody migrates." in shown
        assert "SELECT * FROM" in shown
        await look.execute("ROLLBACK")
        await waiting
    finally:
        await other.close()


async def _waits(look):
    return await look.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


def test_without_a_database_there_is_one_line(noted):
    assert "no database: give --url" in _one_line(noted("upgrade", "--url", ""), 2)


def test_without_migrations_there_is_one_line(noted):
    assert "there is no nowhere.ini" in _one_line(noted("upgrade", "--ini", "nowhere.ini"), 2)


async def test_a_message_of_any_words_makes_a_revision_that_can_be_read(db):
    done = db("revision", "-m", 'C:\\Users say """hi"""', "--rev-id", "0001")
    assert (done.returncode, done.stderr) == (0, "")
    assert db("upgrade").returncode == 0
