"""Rows that are claimed are nobody else's until the unit of work is over; who finds them locked takes others."""

import asyncio
import random
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from dal import Database, PoolConfig
from dal.errors import DALError
from dal.testing import assert_statements
from tests.cancelling import AT_ONCE_S, serves
from tests.looking import count
from tests.models import Job, JobDone, Jobs, Queue

WORKERS = 8
JOBS = 500


@pytest.fixture
async def queue_db(db):
    await Jobs(db).add(*(Job(id=key, priority=key % 3) for key in range(1, 11)))
    return db


def _another(db):
    """Make a unit of work beside the one that this task has open."""
    return Queue(db, independent=True)


async def _claimed(queue, limit, *where, order_by=Job.id):
    return [job.id for job in await queue.jobs.claim(limit, Job.done.is_(False), *where, order_by=order_by)]


async def test_two_units_of_work_never_get_the_same_row(queue_db):
    async with Queue(queue_db) as one, _another(queue_db) as two, _another(queue_db) as three:
        assert [await _claimed(queue, 4) for queue in (one, two, three)] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


async def test_nobody_waits(queue_db):
    async with Queue(queue_db) as one, _another(queue_db) as two, asyncio.timeout(AT_ONCE_S):
        await _claimed(one, 10)
        assert await _claimed(two, 10) == []


async def test_rows_come_in_the_order_asked_for(queue_db):
    async with Queue(queue_db) as one, _another(queue_db) as two:
        order = [Job.priority.desc(), Job.id]
        assert (await _claimed(one, 2, order_by=order), await _claimed(two, 2, order_by=order)) == ([2, 5], [8, 1])


async def test_only_rows_that_satisfy_every_condition_are_claimed(queue_db):
    async with Queue(queue_db) as one, _another(queue_db) as two:
        assert await _claimed(one, 10, Job.priority == 1) == [1, 4, 7, 10]
        assert await _claimed(two, 3) == [2, 3, 5]


async def test_rows_are_free_again_after_a_rollback(queue_db):
    with suppress(ZeroDivisionError):
        async with Queue(queue_db) as queue:
            await _claimed(queue, 10)
            raise ZeroDivisionError
    async with Queue(queue_db) as queue:
        assert len(await _claimed(queue, 10)) == 10


async def test_claimed_rows_are_changed_like_any_others(queue_db, outside):
    async with Queue(queue_db) as queue:
        for job in await queue.jobs.claim(3, order_by=Job.id):
            job.done = True
    assert await outside.fetch("SELECT id FROM job WHERE done ORDER BY id") == [(1,), (2,), (3,)]


async def test_a_row_that_was_done_meanwhile_is_not_claimed(queue_db, outside):
    async with Queue(queue_db) as queue:
        await queue.jobs.list()  # the session holds all of them, none of them done
        await outside.execute("UPDATE job SET done = true WHERE id < 9")
        assert await _claimed(queue, 10) == [9, 10]


async def test_a_claimed_row_is_read_anew(queue_db, outside):
    async with Queue(queue_db) as queue:
        job = await queue.jobs.get_one(1)
        await outside.execute("UPDATE job SET priority = 77 WHERE id = 1")
        assert (await queue.jobs.claim(1, order_by=Job.id))[0] is job
        assert job.priority == 77


async def test_a_claim_is_one_statement(queue_db):
    async with Queue(queue_db) as queue:
        with assert_statements(1):
            await _claimed(queue, 5)


class Crash(Exception):
    """What a job raises."""


class Worker:
    """Does jobs until all are done, and is struck now and then by what strikes workers."""

    def __init__(self, db, outside_lock, outside, chance):
        self._db, self._outside, self._turn, self._chance = db, outside, outside_lock, chance
        self.struck = {"crashed": 0, "killed": 0, "cancelled": 0}

    async def work(self):
        while await self._left():
            task = asyncio.create_task(self._do_some())
            if self._chance.random() < 0.2:
                await self._cancel(task)
            with suppress(Crash, DALError, asyncio.CancelledError):
                await task

    async def _do_some(self):
        async with Queue(self._db) as queue:
            jobs = await queue.jobs.claim(self._chance.randint(1, 7), Job.done.is_(False), order_by=Job.id)
            for job in jobs:
                queue.session.add(JobDone(job_id=job.id))
                job.done = True
            await queue.session.flush()
            await self._strike(queue.session)

    async def _strike(self, session):
        dice = self._chance.random()
        if dice < 0.1:
            self.struck["crashed"] += 1
            raise Crash
        if dice < 0.2:
            self.struck["killed"] += 1
            pid = await session.scalar(select(func.pg_backend_pid()))
            await self._ask("SELECT pg_terminate_backend($1)", pid)

    async def _cancel(self, task):
        for _ in range(self._chance.randint(1, 60)):
            await asyncio.sleep(0)
        self.struck["cancelled"] += task.cancel()

    async def _left(self):
        return await self._ask("SELECT count(*) FROM job WHERE NOT done")

    async def _ask(self, *question):
        async with self._turn:
            return await self._outside.fetchval(*question)


@pytest.mark.parametrize("seed", range(2))
async def test_each_job_is_done_exactly_once_whatever_strikes_the_workers(database_url, outside, seed):
    async with Database(database_url, pool=PoolConfig(size=5)) as db:
        await Jobs(db).add(*(Job(id=key) for key in range(JOBS)))
        turn = asyncio.Lock()
        workers = [Worker(db, turn, outside, random.Random(f"{seed}/{number}")) for number in range(WORKERS)]
        await asyncio.gather(*(worker.work() for worker in workers))
        assert await outside.fetchrow("SELECT count(*), count(DISTINCT job_id) FROM job_done") == (JOBS, JOBS)
        assert await count(outside, "job WHERE done") == JOBS
        struck = {how: sum(worker.struck[how] for worker in workers) for how in workers[0].struck}
        assert min(struck.values()) > 2, struck
        assert await serves(db)
