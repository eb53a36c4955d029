"""A `Database` made before the workers are: whoever opens it has it, and whoever has it keeps it for himself."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.errors import PoolMisused
from tests.looking import backends
from tests.models import Account, Accounts

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    # That threads may hold locks at that moment is what the warning is about; those of the kit hold none for long.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
ONE = PoolConfig(size=1)

# What a worker finds in its module, as one that is preloaded does.
_preloaded: list[Database] = []


async def _number(db):
    return await db.select_into(int, text("SELECT count(*) FROM account"))


async def _look_up(db):
    from tests.faults.forked_holds import Named  # for a worker alone

    return [each.owner for each in await asyncio.gather(*(Accounts(db).get(n, into=Named) for n in (1, 2)))]


async def _open_and_look_up(db):
    async with db:
        return await _look_up(db)


def _used():
    return asyncio.run(_number(_preloaded[0]))


def _opened():
    return asyncio.run(_open_and_look_up(_preloaded[0]))


def _asked():
    status = _preloaded[0].pool.status()
    return status.idle + status.checked_out, _preloaded[0].pool.leases()


@pytest.fixture
async def preloaded(database_url, outside):
    await outside.execute("INSERT INTO account VALUES (1, 'a', 1), (2, 'b', 1)")
    _preloaded.append(Database(database_url, pool=ONE))
    yield _preloaded[0]
    await _preloaded.pop().close()


async def _in_a_worker(work):
    with ProcessPoolExecutor(1, mp_context=FORK) as workers:
        return await asyncio.wrap_future(workers.submit(work))


async def test_a_worker_opens_what_was_only_made_before_it(preloaded):
    assert await _in_a_worker(_opened) == ["a", "b"]
    assert await _in_a_worker(_used) == [2]
    assert await _number(preloaded) == [2]


async def test_a_worker_that_uses_what_is_open_is_told_to_make_its_own(preloaded, outside):
    async with preloaded.begin() as session:
        session.add(Account(id=3, owner="c", balance=1))
        await session.flush()
        with pytest.raises(PoolMisused, match=r"after a fork.*Make one Database for each process"):
            await _in_a_worker(_used)
        assert len(await backends(outside)) == 1
    assert await _number(preloaded) == [3]


async def test_a_worker_that_opens_what_is_open_has_connections_of_its_own(preloaded):
    await _look_up(preloaded)
    waiting = [asyncio.create_task(_look_up(preloaded)) for _ in range(3)]
    await asyncio.sleep(0)
    assert await _in_a_worker(_opened) == ["a", "b"]
    assert await asyncio.gather(*waiting) == [["a", "b"]] * 3
    assert await _look_up(preloaded) == ["a", "b"]


async def test_a_worker_has_no_connections_of_its_parents(preloaded):
    async with preloaded.checkout():
        assert await _in_a_worker(_asked) == (0, [])
        assert len(preloaded.pool.leases()) == 1


async def test_a_process_of_multiprocessing_ends_without_a_word(preloaded, outside):
    async with preloaded.begin() as session:
        session.add(Account(id=3, owner="c", balance=1))
        await session.flush()
        worker = FORK.Process(target=_asked)
        worker.start()
        await asyncio.to_thread(worker.join)
        assert worker.exitcode == 0
    assert await outside.fetchval("SELECT count(*) FROM account") == 3
