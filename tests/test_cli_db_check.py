"""`dal db check`, through an app of the test's own: what is printed, and the exit codes."""

from __future__ import annotations

import asyncio
import json

import pytest
import typer
from typer.testing import CliRunner

from dal import Database
from dal.cli.db_check import check
from dal.errors import ConfigError
from dal.migrations import upgrade
from tests.conftest import INI


@pytest.fixture
def at_head(empty_database_url):
    async def prepare():
        async with Database(empty_database_url) as db:
            await upgrade(db, ini=INI)

    asyncio.run(prepare())
    return empty_database_url.render_as_string(hide_password=False)


@pytest.fixture
def run(monkeypatch):
    app = typer.Typer()
    app.command()(check)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.delenv("DAL_DATABASE_URL", raising=False)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


def test_no_drift_is_a_line_and_exit_code_0(run, at_head):
    done = run("--url", at_head, "--ini", INI)
    assert (done.exit_code, done.output.count("\n")) == (0, 1), done.output
    assert done.output.startswith("no drift in ")
    assert json.loads(run("--url", at_head, "--ini", INI, "--json").output)["differences"] == []


def test_drift_is_a_table_or_an_object_and_exit_code_1(run, at_head, empty_database_url, pg_kit):
    pg_kit.execute(empty_database_url, "CREATE INDEX by_hand ON orders (clerk)")
    done = run("--url", at_head, "--ini", INI)
    assert done.exit_code == 1, done.output
    assert "the database has index public.by_hand, which the models and the migrations lack" in done.output
    assert "CREATE INDEX by_hand ON public.orders USING btree (clerk)" in done.output
    (told,) = json.loads(run("--url", at_head, "--ini", INI, "--json").output)["differences"]
    assert (told["differs"], told["kind"], told["name"]) == ("database", "index", "public.by_hand")
    assert told["definitions"]["migrations"] is None
    assert run("--url", at_head, "--ini", INI, "--ignore", "*.by_hand").exit_code == 0
    assert run("--url", at_head, "--ini", INI, "--schema", "elsewhere").exit_code == 0


def test_what_cannot_be_compared_is_an_error_of_dal_s_own(run, at_head, tmp_path):
    done = run("--url", at_head, "--ini", tmp_path / "alembic.ini")
    assert isinstance(done.exception, ConfigError)  # which the command makes a line and exit code 2
    assert isinstance(run("--url", at_head, "--ini", INI, "--scratch", "nonsense").exception, ConfigError)
    assert "no database: give --url" in str(run("--ini", INI).exception)
