"""A COPY that is cancelled, or whose connection ends, leaves nothing, and the pool serves again."""

import asyncio
import threading
from collections.abc import Generator

import pyarrow as pa
import pytest
from sqlalchemy import text

from dal.copy.records import CHUNK_ROWS
from dal.errors import ConnectionLost
from tests.looking import backends, count, states, until, until_running, until_waiting_for_a_lock
from tests.models import Accounts, Bank
from tests.records import ACCOUNT, accounts

PATIENCE_S = 20


class SlowSource:
    """A stream that stops in the middle, until it is told to go on."""

    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.reader = pa.RecordBatchReader.from_batches(ACCOUNT, self._batches())

    def _batches(self):
        yield from accounts(*range(CHUNK_ROWS)).to_batches()
        self.reached.set()
        self.go_on.wait(PATIENCE_S)
        yield from accounts(*range(CHUNK_ROWS, 2 * CHUNK_ROWS)).to_batches()


@pytest.fixture
def slow() -> Generator[SlowSource]:
    """Lend a source that stops in the middle; it goes on at the end of the test at the latest."""
    source = SlowSource()
    yield source
    source.go_on.set()


async def _copy_in_a_unit_of_work(db, source):
    async with Bank(db) as bank:
        await bank.accounts.copy_in(source.reader)


async def _copying(db, outside, slow):
    """Begin a COPY, and wait until it is under way and its source has stopped."""
    task = asyncio.create_task(_copy_in_a_unit_of_work(db, slow))
    await until(slow.reached.is_set)
    return task, await until_running(outside, "COPY")


async def _cancel(task, slow):
    task.cancel()
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_copy_leaves_no_rows(db, outside, slow):
    task, _ = await _copying(db, outside, slow)
    await _cancel(task, slow)
    assert await count(outside, "account") == 0


async def test_a_cancelled_copy_leaves_no_transaction_open(db, outside, slow):
    task, _ = await _copying(db, outside, slow)
    await _cancel(task, slow)
    await until(lambda: _all_idle(outside))
    assert db.pool.leases() == []


async def _all_idle(outside):
    return set(await states(outside)) == {"idle"}


async def test_the_pool_serves_after_a_cancelled_copy(db, outside, slow):
    task, _ = await _copying(db, outside, slow)
    await _cancel(task, slow)
    await asyncio.gather(*(Accounts(db).copy_in(accounts(n)) for n in range(6)))
    assert await count(outside, "account") == 6


async def test_a_cancelled_copy_leaves_no_thread(db, outside, slow):
    task, _ = await _copying(db, outside, slow)
    await _cancel(task, slow)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dal-copy")]


async def test_the_loop_runs_while_a_source_is_slow(db, outside, slow):
    task, _ = await _copying(db, outside, slow)
    asyncio.get_running_loop().call_later(0.01, slow.go_on.set)
    await task
    assert await count(outside, "account") == 2 * CHUNK_ROWS


async def test_the_loop_runs_while_a_cancelled_copy_waits_for_its_source(db, outside, slow):
    task, _ = await _copying(db, outside, slow)
    rescue = threading.Timer(2, slow.go_on.set)
    rescue.start()
    turns = []
    asyncio.get_running_loop().call_later(0.05, lambda: turns.append(slow.go_on.is_set()))
    asyncio.get_running_loop().call_later(0.1, slow.go_on.set)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rescue.cancel()
    assert turns == [False]


async def test_a_copy_whose_backend_is_killed_is_connection_lost(db, outside, slow):
    task, pid = await _copying(db, outside, slow)
    await outside.execute("SELECT pg_terminate_backend($1)", pid)
    slow.go_on.set()
    with pytest.raises(ConnectionLost):
        await task


async def test_a_copy_whose_backend_is_killed_leaves_no_rows(db, outside, slow):
    task, pid = await _copying(db, outside, slow)
    await outside.execute("SELECT pg_terminate_backend($1)", pid)
    slow.go_on.set()
    await asyncio.gather(task, return_exceptions=True)
    assert await count(outside, "account") == 0


async def test_the_pool_serves_after_a_copy_whose_backend_was_killed(db, outside, slow):
    task, pid = await _copying(db, outside, slow)
    await outside.execute("SELECT pg_terminate_backend($1)", pid)
    slow.go_on.set()
    await asyncio.gather(task, return_exceptions=True)
    async with db.reading() as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_a_copy_cancelled_at_any_moment_leaves_all_or_nothing(db, outside):
    async def load(n):
        await Accounts(db).copy_in(accounts(2 * n, 2 * n + 1))

    for ticks in range(1, 60):
        task = asyncio.create_task(load(ticks))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    halves = "SELECT count(*) FROM (SELECT FROM account GROUP BY id / 2 HAVING count(*) <> 2) AS half"
    assert await outside.fetchval(halves) == 0
    assert len(await backends(outside)) <= 3


# A server that has begun a COPY and takes no more of it, for as long as somebody holds the lock.
WAITING_TRIGGER = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
    CREATE TRIGGER wait BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION wait();
    SELECT pg_advisory_lock(7)
"""


async def test_a_copy_that_waits_to_send_ends_with_its_connection(db, outside):
    await outside.execute(WAITING_TRIGGER)
    task = asyncio.create_task(Accounts(db).copy_in(accounts(*range(20 * CHUNK_ROWS))))
    await until_waiting_for_a_lock(outside)
    await outside.execute("SELECT pg_terminate_backend($1)", await until_running(outside, "COPY"))
    ended, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    assert [type(each.exception()) for each in ended] == [ConnectionLost]
