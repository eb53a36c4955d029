"""What is copied out is what SQLAlchemy would read: with the application's hooks, and heard of."""

from __future__ import annotations

import pyarrow as pa
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, func, literal, select, text
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.orm import Session, aliased, with_loader_criteria

from dal import Database, PoolConfig
from dal.copy import ParquetOut, copy_batches, copy_out
from dal.errors import CopyError
from dal.telemetry import StatementLog
from tests.models import Account, Accounts, Bank, Contract, Document, Folder


@pytest.fixture
async def accounts(db):
    await Accounts(db).add(*(Account(id=n, owner=f"owner {n}", balance=n) for n in range(4)))
    return Accounts(db)


async def _rows(source, what):
    async with copy_batches(source, what) as batches:
        return [row for batch in [each async for each in batches] for row in batch.to_pylist()]


@pytest.fixture
def hook():
    """Lend a function that has a listener hear of every statement of every session."""
    heard = []

    def listen(listener):
        event.listen(Session, "do_orm_execute", listener)
        heard.append(listener)

    yield listen
    for listener in heard:
        event.remove(Session, "do_orm_execute", listener)


async def test_criteria_of_a_hook_hold(db, accounts, hook):
    def only_even(state):
        state.statement = state.statement.options(with_loader_criteria(Account, Account.balance % 2 == 0))

    hook(only_even)
    assert [row["id"] for row in await _rows(db, select(Account).order_by(Account.id))] == [0, 2]
    async with Bank(db) as bank:
        assert [row["id"] for row in await _rows(bank, Account)] == [0, 2]


async def test_a_hook_that_only_listens_changes_nothing(db, accounts, hook):
    seen = []
    hook(lambda state: seen.append(state.is_select))
    assert len(await _rows(db, Account)) == 4
    assert seen == [True]


async def test_a_hook_that_answers_by_itself_is_refused(db, accounts, hook):
    hook(lambda _: IteratorResult(SimpleResultMetaData(["id"]), iter([])))
    with pytest.raises(CopyError, match="answers the statement by itself"):
        await _rows(db, Account)


async def test_a_hook_that_raises_is_heard(db, hook):
    def forbid(_):
        raise PermissionError

    hook(forbid)
    with pytest.raises(PermissionError):
        await _rows(db, Account)
    assert db.pool.leases() == []


async def test_a_schema_translate_map_is_refused(db):
    with pytest.raises(CopyError, match="schema_translate_map"):
        await _rows(db, select(Account).execution_options(schema_translate_map={None: "other"}))


async def test_eager_loads_are_no_columns(db, accounts):
    assert list((await _batches_schema(db, Folder)).names) == ["id", "name", "version"]


async def _batches_schema(db, what):
    async with copy_batches(db, what) as batches:
        return batches.schema


async def test_a_subclass_has_its_rows_and_the_columns_of_both_tables(db, outside):
    await outside.execute(
        "INSERT INTO document (id, kind, title, version) VALUES (1, 'note', 'a', 1), (2, 'contract', 'b', 1)"
    )
    await outside.execute("INSERT INTO contract (id, party) VALUES (2, 'c')")
    [row] = await _rows(db, Contract)
    assert row == {"id": 2, "folder_id": None, "kind": "contract", "title": "b", "party": "c", "version": 1}
    assert [row["id"] for row in await _rows(db, select(Document).order_by(Document.id))] == [1, 2]


async def test_an_alias_a_join_and_a_group_are_selected_as_they_are(db, accounts):
    other = aliased(Account)
    statement = select(other).join(Account, Account.id == other.id + 1).where(Account.id == 2)
    assert await _rows(db, statement) == [{"id": 1, "owner": "owner 1", "balance": 1}]
    counted = select((Account.id % 2).label("odd"), func.count().label("n")).group_by(text("odd")).order_by(text("odd"))
    assert await _rows(db, counted) == [{"odd": 0, "n": 2}, {"odd": 1, "n": 2}]


async def test_a_table_is_read_whole(db, accounts):
    table = Table("account", MetaData(), Column("id", Integer))
    assert sorted(row["id"] for row in await _rows(db, table)) == [0, 1, 2, 3]


async def test_it_is_one_statement_of_the_log_with_its_rows(accounts, tmp_path):
    with StatementLog() as log:
        await accounts.copy_out(tmp_path / "it.csv", Account.id > 1)
    [sent] = [each for each in log if "COPY" in each.text]
    assert (sent.rows, sent.error) == (2, None)
    assert "test_copy_out_source.py" in str(sent.call_site)


async def test_batches_are_in_the_log_with_the_line_that_asked_for_them(accounts):
    with StatementLog() as log:
        async with accounts.copy_batches() as batches:
            assert [each async for each in batches]
    [sent] = [each for each in log if "COPY" in each.text]
    assert (sent.rows, "test_copy_out_source.py" in str(sent.call_site)) == (4, True)


async def test_outside_a_unit_of_work_it_is_five_round_trips(
    database_url, faulty_network, assert_round_trips, tmp_path
):
    async with Database(faulty_network.url, pool=PoolConfig(size=1)) as db:
        await Accounts(db).copy_out(tmp_path / "it.csv")
        with assert_round_trips(5):  # BEGIN, two to prepare and to forget, COPY, ROLLBACK
            await Accounts(db).copy_out(tmp_path / "it.csv")


class Nowhere:
    """A stream that keeps nothing."""

    def write(self, data):
        return len(data)

    def flush(self):
        pass


async def _peak_bytes(db, rows):
    """Measure the most that Arrow had at one time."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        number = func.generate_series(1, rows).label("n")
        words = literal("some words that take their room in memory ").label("words")
        report = await copy_out(db, select(number, words), Nowhere(), form=ParquetOut(group_rows=20_000))
    finally:
        pa.set_memory_pool(before)
    assert report.rows == rows
    return pool.max_memory()


async def test_memory_does_not_grow_with_the_rows(db):
    few, many = await _peak_bytes(db, 100_000), await _peak_bytes(db, 800_000)
    assert 0 < many < few * 1.3
    assert many < 32 << 20
