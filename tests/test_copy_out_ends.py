"""Whatever ends a COPY into a file, the file is there whole, or what was there before, and nothing else."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import threading

import pytest
from sqlalchemy import Integer, Text, cast, func, literal, literal_column, select, text

from dal import Database, PoolConfig
from dal.copy import CsvOut, ParquetOut, copy_batches, copy_out
from dal.errors import ConnectionLost, CopyError, DataException, DivisionByZero, ReadOnlySQLTransaction
from tests.looking import backends, states, until, until_running
from tests.models import Account, Accounts, Bank

NAMES = ["it.csv", "it.csv.gz", "it.ndjson", "it.parquet"]
# More than fits between the server and a writer that waits.
MANY = select(func.generate_series(1, 1_000_000).label("n"), literal("x" * 50).label("words"))
FAILING = select((1 // (300_000 - func.generate_series(1, 1_000_000))).label("n"), literal("x" * 50).label("words"))


class Stuck:
    """A progress that stops the COPY in the middle, until it is told to go on."""

    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()

    def write(self, data):
        self.reached.set()
        self.go_on.wait(20)
        return len(data)

    def flush(self):
        pass


@pytest.fixture(params=[None, "before"])
def folder(request, tmp_path):
    """Lend a folder with files that were there before, or without."""
    if request.param:
        for name in NAMES:
            (tmp_path / name).write_text(request.param)
    return tmp_path


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", NAMES)
async def test_a_statement_that_fails_in_the_middle_leaves_what_was_there(db, folder, name):
    before = _content(folder)
    with pytest.raises(DivisionByZero):
        await copy_out(db, FAILING, folder / name)
    assert _content(folder) == before


@pytest.mark.parametrize("name", NAMES)
async def test_a_progress_that_raises_leaves_what_was_there(db, folder, name):
    def fail(progress):
        raise ZeroDivisionError(progress)

    before = _content(folder)
    with pytest.raises(ZeroDivisionError):
        await copy_out(db, MANY, folder / name, on_progress=fail)
    assert _content(folder) == before
    assert db.pool.leases() == []


@pytest.mark.parametrize("name", NAMES)
async def test_a_cancelled_copy_leaves_what_was_there(db, outside, folder, name):
    before, begun = _content(folder), asyncio.Event()
    task = asyncio.create_task(copy_out(db, MANY, folder / name, on_progress=lambda _: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _content(folder) == before
    await until(lambda: _all_idle(outside))
    assert db.pool.leases() == []


async def _all_idle(outside):
    return set(await states(outside)) <= {"idle"}


@pytest.mark.parametrize("name", NAMES)
async def test_a_cut_connection_leaves_what_was_there_and_is_named(database_url, faulty_network, folder, name):
    before = _content(folder)
    async with Database(faulty_network.url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost):
            await copy_out(db, MANY, folder / name, on_progress=lambda _: faulty_network.cut())
        assert _content(folder) == before
        assert await db.select_into(int, text("SELECT 1")) == [1]


@pytest.mark.parametrize("name", NAMES)
async def test_a_killed_backend_leaves_what_was_there_and_is_named(db, outside, folder, name):
    before, begun = _content(folder), asyncio.Event()
    task = asyncio.create_task(copy_out(db, _slow(), folder / name, on_progress=lambda _: begun.set()))
    await begun.wait()
    await outside.execute("SELECT pg_terminate_backend($1)", await until_running(outside, "COPY"))
    with pytest.raises(ConnectionLost):
        await task
    assert _content(folder) == before


def _slow():
    """Give a statement that stops in the middle."""
    number = func.generate_series(1, 100_000).label("n")
    rows = select(number).subquery()
    stop = literal_column("CASE WHEN n = 90000 THEN pg_sleep(60)::text ELSE repeat('x', 50) END")
    return select(rows.c.n, stop.label("words"))


async def test_a_copy_cancelled_at_any_moment_leaves_a_whole_file_or_none(db, outside, tmp_path):
    await Accounts(db).add(*(Account(id=n, owner=str(n), balance=0) for n in range(3)))
    for ticks in range(1, 80):
        target = tmp_path / f"{ticks}.csv"
        task = asyncio.create_task(Accounts(db).copy_out(target))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not target.exists() or target.read_text().count("\n") == 4
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".csv"]
    assert len(await backends(outside)) <= 3
    assert db.pool.leases() == []


async def test_a_cancelled_copy_waits_for_its_thread(db):
    stuck = Stuck()
    task = asyncio.create_task(copy_out(db, MANY, stuck, form=CsvOut()))
    await until(stuck.reached.is_set)
    task.cancel()
    await asyncio.wait([task], timeout=0.05)
    assert not task.done()
    stuck.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dal-copy")]


async def test_the_server_waits_for_a_slow_writer(db, outside):
    stuck = Stuck()
    task = asyncio.create_task(copy_out(db, MANY, stuck, form=CsvOut()))
    await until(stuck.reached.is_set)

    async def waits():
        found = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND datname = current_database()"
        )
        return await outside.fetchval(found) == 1

    await until(waits)
    stuck.go_on.set()
    assert (await task).rows == 1_000_000


class Broken(io.RawIOBase):
    """A stream whose reader is gone."""

    def writable(self):
        return True

    def write(self, data):
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("form", [CsvOut(), CsvOut(compression="gzip"), ParquetOut()])
@pytest.mark.parametrize("what", [MANY, select(literal(1).label("one"))])
async def test_an_error_of_the_streams_is_not_taken_for_the_connections(db, form, what):
    with pytest.raises(BrokenPipeError) as caught:
        await copy_out(db, what, Broken(), form=form)
    assert caught.value.__cause__ is None
    assert db.pool.leases() == []


async def test_a_stream_gets_no_end_of_a_file_that_failed(db):
    stream = io.BytesIO()
    with pytest.raises(DivisionByZero):
        await copy_out(db, FAILING, stream, form=ParquetOut(group_rows=10_000))
    assert stream.getvalue().startswith(b"PAR1")
    assert not stream.getvalue().endswith(b"PAR1")


async def test_a_file_keeps_its_permissions(db, tmp_path):
    path = tmp_path / "it.csv"
    path.touch(0o600)
    await Accounts(db).copy_out(path)
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o600, "id,owner,balance\n")


async def test_a_link_stays_a_link(db, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "it.csv"
    link.symlink_to(tmp_path / "there" / "it.csv")
    await Accounts(db).copy_out(link)
    assert (link.is_symlink(), link.read_text()) == (True, "id,owner,balance\n")


async def test_a_folder_that_is_not_there_is_told_before_anything_is_sent(db, tmp_path):
    with pytest.raises(CopyError, match=r"cannot be written: No such file or directory\. Nothing was read\."):
        await copy_out(db, select(literal_column("no_such_column")), tmp_path / "none" / "it.csv")


async def test_what_is_no_regular_file_is_refused(db, tmp_path):
    os.mkfifo(tmp_path / "it.csv")
    with pytest.raises(CopyError, match="no regular file"):
        await Accounts(db).copy_out(tmp_path / "it.csv")


async def test_a_unit_of_work_copies_out_what_it_has_not_committed(db, tmp_path):
    async with Bank(db) as bank:
        bank.session.add(Account(id=1, owner="ann", balance=0))
        await bank.accounts.copy_out(tmp_path / "it.csv")
        await bank.session.rollback()
    assert (tmp_path / "it.csv").read_text() == "id,owner,balance\n1,ann,0\n"


async def test_a_copy_that_fails_leaves_the_unit_of_work_usable(db, outside, tmp_path):
    async with Bank(db) as bank:
        await bank.accounts.add(Account(id=1, owner="ann", balance=0))
        with pytest.raises(DivisionByZero):
            await copy_out(bank, FAILING, tmp_path / "it.parquet")
        with pytest.raises(DataException):
            await copy_out(bank, select(cast(literal("x", Text), Integer)), tmp_path / "it.parquet")
        with pytest.raises(BrokenPipeError):
            await copy_out(bank, MANY, Broken(), form=CsvOut())
        await bank.accounts.add(Account(id=2, owner="bob", balance=0))
    assert [row["id"] for row in await outside.fetch("SELECT id FROM account ORDER BY id")] == [1, 2]


async def test_outside_a_unit_of_work_nothing_can_be_written(db, tmp_path):
    with pytest.raises(ReadOnlySQLTransaction):
        await copy_out(db, select(func.setval("entry_id_seq", 7).label("it")), tmp_path / "it.csv")


class Stop(Exception):
    """What an application raises for reasons of its own."""


async def test_batches_are_read_as_they_are_asked_for(db):
    async with copy_batches(db, MANY) as batches:
        rows = [batch.num_rows async for batch in batches]
        assert [each async for each in batches] == []
    assert (sum(rows), len(rows) > 10) == (1_000_000, True)


@pytest.mark.parametrize("error", [Stop("mine"), BrokenPipeError("mine"), ConnectionError("mine")])
async def test_an_error_in_the_block_of_batches_goes_through_as_it_is(db, outside, error):
    with pytest.raises(type(error)) as caught:
        async with copy_batches(db, MANY) as batches:
            async for _ in batches:
                raise error
    assert (caught.value, caught.value.__cause__) == (error, None)
    assert db.pool.leases() == []
    await until(lambda: _all_idle(outside))


async def test_batches_that_are_left_early_leave_the_unit_of_work_usable(db, outside):
    async with Bank(db) as bank:
        await bank.accounts.add(Account(id=1, owner="ann", balance=0))
        async with copy_batches(bank, MANY) as batches:
            async for _ in batches:
                break
        async with copy_batches(bank, MANY):
            pass
        with pytest.raises(Stop):
            async with copy_batches(bank, MANY) as batches:
                raise Stop
        await bank.accounts.add(Account(id=2, owner="bob", balance=0))
    assert await outside.fetchval("SELECT count(*) FROM account") == 2


async def test_batches_that_are_left_early_give_the_connection_back(db, outside):
    for _ in range(5):
        async with copy_batches(db, MANY) as batches:
            async for _ in batches:
                break
    assert db.pool.leases() == []
    await until(lambda: _all_idle(outside))


async def test_a_statement_that_fails_is_told_where_batches_are_asked_for(db):
    rows = 0
    with pytest.raises(DivisionByZero):
        async with copy_batches(db, FAILING) as batches:
            async for batch in batches:
                rows += batch.num_rows
    assert 0 < rows < 300_000


async def test_a_cancelled_taker_of_batches_leaves_nothing(db, outside):
    begun = asyncio.Event()

    async def take():
        async with copy_batches(db, MANY) as batches:
            async for _ in batches:
                begun.set()
                await asyncio.sleep(60)

    task = asyncio.create_task(take())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert db.pool.leases() == []
    await until(lambda: _all_idle(outside))


async def test_a_cut_connection_is_told_where_batches_are_asked_for(database_url, faulty_network):
    async with Database(faulty_network.url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost):
            async with copy_batches(db, MANY) as batches:
                async for _ in batches:
                    faulty_network.cut()
        assert await db.select_into(int, text("SELECT 1")) == [1]
