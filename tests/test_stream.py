"""A stream gives every row with few of them in memory, and its end is certain, however it comes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, nullcontext
from dataclasses import dataclass

import psutil
import pytest
from sqlalchemy import event, func, text
from sqlalchemy.orm import Session, selectinload

from dal import Database, PoolConfig
from dal.errors import (
    ConnectionLost,
    DivisionByZero,
    InvalidCursorName,
    NotLoaded,
    ProjectionError,
    QueryCanceled,
    UnitOfWorkError,
)
from dal.telemetry import StatementLog
from tests.looking import backends, count, states, until, until_running
from tests.models import Folder, Folders, Job, Jobs, Queue


@dataclass(slots=True)
class JobSeen:
    id: int
    priority: int


@dataclass
class JobUnknown:
    unknown: int


@dataclass(slots=True)
class PageSeen:
    id: int
    title: str


@dataclass(slots=True)
class FolderSeen:
    id: int
    documents: list[PageSeen]


async def _jobs(outside, number):
    await outside.execute("INSERT INTO job SELECT id, -id, false FROM generate_series(1, $1) AS id", number)


async def _folders(outside, number):
    await outside.execute("INSERT INTO folder SELECT id, 'f', 1 FROM generate_series(1, $1) AS id", number)
    await outside.execute(
        "INSERT INTO document SELECT id, (id + 1) / 2, 'note', 't' || id, 1 FROM generate_series(1, $1 * 2) AS id",
        number,
    )


async def _portals(unit):
    """Count the portals that are open beside the nameless one of this very statement."""
    return await unit.session.scalar(text("SELECT count(*) FROM pg_cursors WHERE name <> ''"))


@pytest.fixture(params=["driver", "hooked"])
def hooks(request):
    """Have no hook, and one for which SQLAlchemy sends every statement."""
    if request.param == "driver":
        yield
        return

    def heard(_state):
        """Change nothing."""

    event.listen(Session, "do_orm_execute", heard)
    yield
    event.remove(Session, "do_orm_execute", heard)


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("rows", [0, 1, 10, 11, 25])
async def test_every_row_comes_once_and_in_order(db, outside, rows):
    await _jobs(outside, rows)
    async with Jobs(db).stream(into=JobSeen, order_by=Job.id, batch_rows=10) as jobs:
        seen = [job async for job in jobs]
    assert seen == [JobSeen(key, -key) for key in range(1, rows + 1)]


@pytest.mark.usefixtures("hooks")
async def test_collections_come_with_each_batch(db, outside):
    await _folders(outside, 25)
    async with Folders(db).stream(Folder.id > 1, into=FolderSeen, order_by=Folder.id, batch_rows=10) as folders:
        seen = [(folder.id, sorted(page.id for page in folder.documents)) async for folder in folders]
    assert seen == [(key, [2 * key - 1, 2 * key]) for key in range(2, 26)]


async def test_a_collection_is_one_statement_for_each_batch(db, outside):
    await _folders(outside, 25)
    with StatementLog() as log:
        async with Folders(db).stream(into=FolderSeen, batch_rows=10) as folders:
            assert len([folder async for folder in folders]) == 25
    assert len(log) == 1 + 3


async def test_a_batch_is_one_round_trip(faulty_network, database_url, outside):
    await _jobs(outside, 25)
    async with Database(faulty_network.url, pool=PoolConfig(size=1)) as db:
        for _ in range(3):
            with faulty_network.listening() as heard:
                async with Jobs(db).stream(into=JobSeen, batch_rows=10) as jobs:
                    assert len([job async for job in jobs]) == 25
        begin, *rest = heard
        assert begin == ["Q BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"]
        assert rest == [["B", "S"], ["E", "S"], ["E", "S"], ["E", "S"], ["Q ROLLBACK;"]]


async def test_an_expression_is_streamed_by_itself(db, outside):
    await _jobs(outside, 3)
    async with Jobs(db).stream(into=Job.id, order_by=Job.id) as keys:
        assert [key async for key in keys] == [1, 2, 3]


async def test_streamed_entities_come_detached_and_whole(db, outside):
    await _folders(outside, 25)
    async with Folders(db).stream(options=[selectinload(Folder.documents)], batch_rows=10) as folders:
        seen = [folder async for folder in folders]
    assert sorted((folder.id, len(folder.documents)) for folder in seen) == [(key, 2) for key in range(1, 26)]
    async with Folders(db).stream() as folders:
        bare = await anext(folders)
        with pytest.raises(NotLoaded, match="selectinload"):
            _ = bare.documents


async def test_a_change_to_a_streamed_entity_outside_is_not_written(db, outside):
    await _jobs(outside, 3)
    async with Jobs(db).stream() as jobs:
        async for job in jobs:
            job.done = True
    assert await outside.fetchval("SELECT count(*) FROM job WHERE done") == 0


async def test_streamed_entities_in_a_unit_of_work_are_tracked(db, outside):
    await _jobs(outside, 25)
    async with Queue(db) as queue, queue.jobs.stream(batch_rows=10) as jobs:
        async for job in jobs:
            job.done = True
    assert await outside.fetchval("SELECT count(*) FROM job WHERE done") == 25


async def test_all_batches_are_seen_as_at_one_moment(db, outside):
    await _folders(outside, 30)
    async with Folders(db).stream(into=FolderSeen, order_by=Folder.id, batch_rows=10) as folders:
        first = await anext(folders)
        await outside.execute("DELETE FROM document; UPDATE folder SET id = id + 1000")
        rest = [folder async for folder in folders]
    assert [folder.id for folder in [first, *rest]] == list(range(1, 31))
    assert {len(folder.documents) for folder in rest} == {2}


async def test_pending_changes_are_seen_by_a_stream_in_their_unit_of_work(db):
    async with Queue(db) as queue:
        queue.session.add(Job(id=7, priority=1))
        async with queue.jobs.stream(into=JobSeen) as jobs:
            assert [job async for job in jobs] == [JobSeen(7, 1)]


@pytest.mark.usefixtures("hooks")
async def test_other_statements_of_the_unit_run_between_batches(db, outside):
    await _jobs(outside, 25)
    async with Queue(db) as queue, queue.jobs.stream(into=JobSeen, order_by=Job.id, batch_rows=10) as jobs:
        async for job in jobs:
            (await queue.jobs.get_one(job.id)).done = True
            assert await queue.jobs.count(Job.done) == job.id
    assert await outside.fetchval("SELECT count(*) FROM job WHERE done") == 25


async def test_two_streams_of_a_unit_take_turns(db, outside):
    await _jobs(outside, 25)
    async with (
        Queue(db) as queue,
        queue.jobs.stream(into=JobSeen, order_by=Job.id, batch_rows=10) as up,
        queue.jobs.stream(into=Job.id, order_by=Job.id.desc(), batch_rows=7) as down,
    ):
        pairs = [(job.id, await anext(down)) async for job in up]
    assert pairs == [(key, 26 - key) for key in range(1, 26)]


@pytest.mark.parametrize(("into", "rows"), [(JobSeen, 300_000), (None, 60_000)], ids=["into", "entities"])
async def test_memory_stays_flat_whatever_the_number_of_rows(db, outside, into, rows):
    await _jobs(outside, rows)
    asked = {"into": into} if into else {}
    process, number, early_bytes = psutil.Process(), 0, 0
    async with Jobs(db).stream(**asked) as jobs:
        async for _ in jobs:
            number += 1
            if number == rows // 10:
                early_bytes = process.memory_info().rss
        late_bytes = process.memory_info().rss
    assert number == rows
    assert late_bytes - early_bytes < 6 * 1024**2  # in a list they are 50 MiB or more


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("into", [JobSeen, None], ids=["into", "entities"])
@pytest.mark.parametrize("end", ["break", "error", "nothing read"])
async def test_the_connection_is_back_and_fit_after_an_early_end(db, outside, into, end):
    await _jobs(outside, 100)
    asked = {"into": into} if into else {}
    for _ in range(5):  # more often than there are connections
        with pytest.raises(LookupError) if end == "error" else nullcontext():
            async with Jobs(db).stream(**asked, batch_rows=10) as jobs:
                if end != "nothing read":
                    await anext(jobs)
                if end == "error":
                    raise LookupError
    assert db.pool.status().checked_out == 0
    assert "idle in transaction" not in await states(outside)
    assert await Jobs(db).count() == 100


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("into", [JobSeen, None], ids=["into", "entities"])
async def test_a_cancelled_stream_gives_its_connection_back(db, outside, into):
    await _jobs(outside, 100)
    asked = {"into": into} if into else {}
    reading = asyncio.Event()

    async def work():
        async with Jobs(db).stream(**asked, batch_rows=10) as jobs:
            async for _ in jobs:
                reading.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _is_fit(db, outside)


async def _is_fit(db, outside):
    await until(lambda: db.pool.status().checked_out == 0)

    async def idle():
        return set(await states(outside)) <= {"idle"}

    await until(idle)
    assert await Jobs(db).count() == await count(outside, "job")


async def test_a_stream_that_is_cancelled_in_the_middle_of_a_batch_stops_in_the_server(db, outside):
    await _jobs(outside, 100)

    async def work():
        slow = func.pg_sleep(Job.id / Job.id * 30).is_not(None)
        async with Jobs(db).stream(slow, into=JobSeen) as jobs:
            await anext(jobs)

    task = asyncio.create_task(work())
    await until_running(outside, "pg_sleep")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _is_fit(db, outside)


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("into", [JobSeen, None], ids=["into", "entities"])
async def test_a_stream_left_early_leaves_no_portal_in_its_unit_of_work(db, outside, into):
    await _jobs(outside, 100)
    asked = {"into": into} if into else {}
    async with Queue(db) as queue:
        async with queue.jobs.stream(**asked, batch_rows=10) as jobs:
            await anext(jobs)
            assert await _portals(queue) == 1
        assert await _portals(queue) == 0
        assert await queue.jobs.count() == 100


async def test_an_error_in_a_unit_of_work_is_named_and_can_be_undone(db, outside):
    await _jobs(outside, 100)
    async with Queue(db) as queue:
        with pytest.raises(DivisionByZero):
            async with queue.savepoint(), queue.jobs.stream(1 / (Job.id - 50) < 2, into=JobSeen, batch_rows=10) as jobs:
                assert len([job async for job in jobs]) > 0
        assert await _portals(queue) == 0
        assert await queue.jobs.count() == 100


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("into", [JobSeen, None], ids=["into", "entities"])
async def test_an_error_in_the_middle_is_named(db, outside, into):
    await _jobs(outside, 100)
    asked = {"into": into} if into else {}
    seen = 0
    with pytest.raises(DivisionByZero):
        async with Jobs(db).stream(1 / (Job.id - 90) < 2, **asked, batch_rows=10) as jobs:
            async for _ in jobs:
                seen += 1
    assert 0 < seen < 90
    await _is_fit(db, outside)


async def test_an_error_that_is_caught_inside_is_not_told_again_at_the_end(db, outside):
    await _jobs(outside, 100)
    async with Jobs(db).stream(1 / (Job.id - 50) < 2, into=JobSeen, batch_rows=10) as jobs:
        with pytest.raises(DivisionByZero):
            assert [job async for job in jobs]
    await _is_fit(db, outside)


async def test_a_type_that_does_not_fit_is_refused_before_the_stream_is_entered(db):
    with pytest.raises(ProjectionError, match="no attribute unknown"):
        Jobs(db).stream(into=JobUnknown)


async def test_entities_take_options_and_projections_do_not(db):
    with pytest.raises(TypeError, match="options= are for entities"):
        Folders(db).stream(into=FolderSeen, options=[selectinload(Folder.documents)])


async def test_a_lost_connection_is_named(faulty_network, database_url, outside):
    await _jobs(outside, 100)
    async with Database(faulty_network.url, pool=PoolConfig(size=1)) as db:
        with pytest.raises(ConnectionLost):
            async with Jobs(db).stream(into=JobSeen, batch_rows=10) as jobs:
                await anext(jobs)
                [there] = await backends(outside)
                await outside.execute("SELECT pg_terminate_backend($1)", there["pid"])
                assert [job async for job in jobs]
        assert await Jobs(db).count() == 100


async def test_a_stream_is_entered_by_async_with(db):
    with pytest.raises(TypeError, match=r"`async with orders\.stream\(\) as rows:`"):
        async for _ in Jobs(db).stream(into=JobSeen):
            pass


async def test_a_stream_is_entered_once(db):
    stream = Jobs(db).stream(into=JobSeen)
    async with stream:
        pass
    with pytest.raises(UnitOfWorkError, match="entered before"):
        async with stream:
            pass


@pytest.mark.parametrize("batch_rows", [0, -1])
async def test_a_batch_has_a_row_at_least(db, batch_rows):
    with pytest.raises(ValueError, match="batch_rows"):
        Jobs(db).stream(into=JobSeen, batch_rows=batch_rows)


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("into", [JobSeen, None], ids=["into", "entities"])
async def test_a_stream_does_not_go_on_after_its_connection_was_given_back(db, outside, into):
    await _jobs(outside, 100)
    asked = {"into": into} if into else {}
    async with Queue(db) as queue, queue.jobs.stream(**asked, batch_rows=10) as jobs:
        await anext(jobs)
        async with queue.detached():
            pass
        await queue.jobs.count()
        with pytest.raises(UnitOfWorkError, match="the transaction that this stream reads in is over"):
            assert [job async for job in jobs]


async def test_a_stream_that_outlives_its_unit_of_work_touches_no_connection(db, outside):
    await _jobs(outside, 100)
    async with Queue(db) as queue:
        stream = queue.jobs.stream(into=JobSeen, batch_rows=10)
        jobs = await stream.__aenter__()
        await anext(jobs)
    with pytest.raises(UnitOfWorkError, match="is over"):
        async with aclosing(jobs):
            assert [job async for job in jobs]
    await stream.__aexit__(None, None, None)
    await _is_fit(db, outside)


async def test_a_stream_of_a_savepoint_that_was_undone_is_an_error_with_a_name(db, outside):
    await _jobs(outside, 100)
    with pytest.raises(InvalidCursorName):
        async with Queue(db) as queue:
            with pytest.raises(LookupError):
                async with queue.savepoint():
                    jobs = await queue.jobs.stream(into=JobSeen, batch_rows=10).__aenter__()
                    await anext(jobs)
                    raise LookupError
            assert [job async for job in jobs]


async def test_another_task_does_not_read_while_the_unit_is_busy(db, outside):
    await _jobs(outside, 100)
    async with Queue(db) as queue, queue.jobs.stream(into=JobSeen, batch_rows=10) as jobs:
        busy = asyncio.create_task(_hold(queue))
        await until_running(outside, "pg_sleep")
        with pytest.raises(UnitOfWorkError, match="one task at a time"):
            await anext(jobs)
        await busy


async def _hold(queue):
    await queue.jobs.list(func.pg_sleep(0.2).is_not(None), limit=1)


_SLOW = func.pg_sleep(10).is_not(None)


async def test_a_timeout_of_the_server_names_the_statement(db, outside):
    await _jobs(outside, 3)
    with pytest.raises(QueryCanceled) as late:
        async with Queue(db, statement_timeout_s=0.05) as queue, queue.jobs.stream(_SLOW, into=JobSeen) as jobs:
            await anext(jobs)
    assert "pg_sleep" in (late.value.statement or "")
