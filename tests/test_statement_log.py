"""What a log of statements holds, and what it keeps to itself."""

import asyncio

import pyarrow as pa
import pytest
from sqlalchemy import text

from dal.demo.models import Region
from dal.demo.repositories import Regions, Shop
from dal.errors import StatementRefused
from dal.telemetry import StatementLog
from tests.looking import until_running


async def test_a_statement_has_its_text_rows_time_and_line(read_only):
    with StatementLog() as log:
        await Regions(read_only).list()
    [statement] = log
    assert statement.text.startswith("SELECT region.id")
    assert statement.rows == await Regions(read_only).count()
    assert 0 < statement.elapsed_s < 10
    assert (statement.call_site.file, statement.call_site.function) == (
        __file__,
        "test_a_statement_has_its_text_rows_time_and_line",
    )


async def test_bound_values_are_in_no_log(db):
    with StatementLog() as log:
        await Regions(db).add(Region(id=1, name="secret", comment=""))
    assert len(log) == 1
    assert "secret" not in str(log)


async def test_transactions_and_savepoints_are_no_statements(db):
    with StatementLog() as log:
        async with Shop(db) as shop, shop.savepoint():
            await shop.regions.count()
    assert len(log) == 1


async def test_a_copy_is_a_statement_with_its_rows(db):
    rows = pa.table({"id": pa.array([1, 2]), "name": ["a", "b"], "comment": ["", ""]})
    with StatementLog() as log:
        async with Shop(db) as shop:
            await shop.regions.copy_in(rows)
    assert [(each.text, each.rows) for each in log][-1] == ("COPY region FROM STDIN", 2)


async def test_a_script_is_a_statement(db):
    with StatementLog() as log:
        await db.execute_script("SELECT 1; SELECT 2")
    assert [each.text for each in log] == ["SELECT 1; SELECT 2"]


@pytest.mark.parametrize("how", ["session", "script"])
async def test_a_statement_that_fails_has_its_error(db, how):
    with StatementLog() as log, pytest.raises(StatementRefused):
        if how == "script":
            await db.execute_script("SELECT nothing")
        else:
            async with db.reading() as session:
                await session.execute(text("SELECT nothing"))
    [statement] = log
    assert statement.error is not None
    assert statement.rows is None


async def test_a_statement_that_runs_is_shown_as_running(db, outside):
    with StatementLog() as log:
        async with db.reading() as session:
            sleeping = asyncio.create_task(session.execute(text("SELECT pg_sleep(60)")))
            pid = await until_running(outside, "pg_sleep")
            assert str(log).strip().startswith("running")
            await outside.execute("SELECT pg_cancel_backend($1)", pid)
            await asyncio.wait([sleeping])
            assert sleeping.exception()
    assert "running" not in str(log)


async def test_a_log_hears_nothing_after_its_end(read_only):
    with StatementLog() as log:
        pass
    await Regions(read_only).count()
    assert len(log) == 0
    assert str(log) == "no statements"


async def test_a_log_inside_another_hears_its_own_part(read_only):
    with StatementLog() as outer:
        await Regions(read_only).count()
        with StatementLog() as inner:
            await Regions(read_only).count()
    assert (len(outer), len(inner)) == (2, 1)
