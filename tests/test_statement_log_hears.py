"""Whose statements a log hears of, what it tells of each, and what it makes of them."""

import asyncio
import contextvars
import logging
import threading
from dataclasses import replace

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from dal import Database, PoolConfig
from dal.blocking import opened
from dal.demo.repositories import Regions
from dal.errors import DALError, TooManyStatements
from dal.telemetry import StatementLog, max_statements, n_plus_one_logged
from tests import statement_models as models
from tests.statement_models import WRITERS, Name, Novel, Novels, Press, Title, Writer, WriterCard, Writers


@pytest.fixture
async def press(database_url):
    async with Database(database_url, pool=PoolConfig(size=4, admission_target_s=4)) as db:
        await models.create(db)
        yield db


@pytest.fixture
async def one_by_one(press):
    async with Database(press.config, lazy="off", coalesce=False) as db:
        yield db


# Whose statements.


async def test_a_log_hears_of_the_tasks_that_its_task_starts_and_of_no_others(read_only):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def stranger():
        begun.set()
        await go_on.wait()
        await Regions(read_only).count()

    async def grandchild():
        await Regions(read_only).count()

    async def child():
        await asyncio.create_task(grandchild())

    other = asyncio.create_task(stranger())
    await begun.wait()
    with StatementLog() as log, StatementLog(everywhere=True) as all_of_them:
        go_on.set()
        await asyncio.gather(other, child())
    assert (len(log), len(all_of_them)) == (1, 2)


async def test_requests_at_the_same_time_each_have_a_log_of_their_own(press):
    async def request(count):
        with StatementLog() as log:
            for number in range(count):
                await Writers(press).get(number + 1)
                await asyncio.sleep(0)
        return len(log)

    assert await asyncio.gather(*(request(count) for count in range(1, 9))) == list(range(1, 9))


async def test_a_task_that_outlives_a_log_is_heard_no_more(read_only):
    go_on = asyncio.Event()

    async def late():
        await go_on.wait()
        await Regions(read_only).count()

    with StatementLog() as log:
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    with StatementLog() as after:
        go_on.set()
        await task
    assert (len(log), len(after)) == (0, 0)


async def test_a_log_may_be_left_in_another_context_than_it_was_entered_in(read_only):
    log = StatementLog()
    contextvars.copy_context().run(log.__enter__)
    await Regions(read_only).count()
    log.__exit__(None, None, None)
    assert len(log) == 0
    assert not log.is_open


async def test_a_log_that_is_kept_is_not_entered_again(read_only):
    with StatementLog() as log, pytest.raises(RuntimeError, match="is kept already"), log:
        pass


@pytest.mark.database
async def test_threads_are_heard_as_their_context_says(press):
    config = press.config

    def work():
        db = Database(config)
        with opened(db) as portal:
            portal.call(Writers(db).count)

    with StatementLog() as log:
        await asyncio.to_thread(work)
        with_context = len(log)
        plain = threading.Thread(target=work)
        plain.start()
        await asyncio.to_thread(plain.join)
    assert (with_context, len(log)) == (1, 1)


async def test_what_sqlalchemy_sends_in_its_greenlets_is_heard(press):
    with StatementLog() as log:
        async with AsyncSession(press.engine) as session:
            writer = await session.get_one(Writer, 1)
            await writer.awaitable_attrs.novels
            await session.execute(text("SELECT 1"))
    here = "test_what_sqlalchemy_sends_in_its_greenlets_is_heard"
    assert [each.call_site.function for each in log] == [here, here, here]


async def test_lookups_that_share_a_statement_are_in_the_logs_of_all_who_asked(press):
    async def request(number):
        with StatementLog() as log:
            found = await Writers(press).get(number, into=WriterCard)
        return found.name, ["log_novel" in each.text for each in log]

    with StatementLog() as silent:
        pass
    answers = await asyncio.gather(request(1), request(2), Writers(press).get(3, into=WriterCard))
    tables = [False, True]
    assert answers[:2] == [("writer 1", tables), ("writer 2", tables)]
    assert len(silent) == 0


async def test_who_was_answered_does_not_hear_what_others_ask_next(press):
    over = asyncio.Event()

    async def logged():
        with StatementLog() as log:
            await Writers(press).get(1, into=Name)
            await over.wait()
        return len(log)

    async def busy():
        for _ in range(20):
            await Writers(press).get(2, into=Name)

    first = [asyncio.create_task(logged()) for _ in range(3)]
    await asyncio.gather(*(busy() for _ in range(5)))
    over.set()
    assert await asyncio.gather(*first) == [1, 1, 1]


# What is told of one.


async def test_the_wait_for_a_connection_belongs_to_the_first_statement_after_it(press):
    async with Database(replace(press.config, pool=PoolConfig(size=1))) as small:
        with StatementLog() as log:
            async with small.checkout():
                waiting = asyncio.create_task(_two(small))
                while not small.pool.status().waiting:  # noqa: ASYNC110 # a number, not an event
                    await asyncio.sleep(0)
            await waiting
    first, second = log
    assert first.wait_s > 0
    assert second.wait_s is None
    assert first.elapsed_s >= first.wait_s + first.execute_s


async def _two(db):
    async with Press(db) as press:
        await press.writers.count()
        await press.novels.count()


async def test_objects_that_are_made_of_rows_take_time_of_their_own(press):
    with StatementLog() as log:
        await Writers(press).list(into=WriterCard)
        await Writers(press).list()
    writers, novels, entities = log
    assert writers.rows == WRITERS
    assert novels.rows == 2 * WRITERS
    assert min(writers.decode_s, novels.decode_s, writers.execute_s) > 0
    assert entities.decode_s is None


async def test_a_stream_is_one_statement_with_all_of_its_rows(press):
    with StatementLog() as log:
        async with Novels(press).stream(into=Title, batch_rows=7) as novels:
            assert len([each async for each in novels]) == 2 * WRITERS
    [statement] = log
    assert statement.rows == 2 * WRITERS
    assert statement.decode_s > 0


async def test_no_value_of_a_parameter_is_in_anything_that_a_log_tells(press):
    with StatementLog() as log:
        for number in range(3):
            await Writers(press).list(Writer.name == f"secret {number}", into=Name)
            await Writers(press).list(Writer.name == f"secret {number}")
    told = f"{log}{log.report()}{log.n_plus_one()}{[repr(each) for each in log]}"
    assert "secret" not in told
    assert not any("secret" in str(getattr(each, name)) for each in log for name in each.__slots__)


# What a log finds.


async def test_statements_of_one_line_for_one_row_each_are_n_plus_one(one_by_one):
    with StatementLog() as log:
        async with Press(one_by_one) as press:
            for writer in await press.writers.list():
                await writer.awaitable_attrs.novels
            await press.novels.count()
    [found] = log.n_plus_one()
    assert (found.count, found.rows) == (WRITERS, 2 * WRITERS)
    assert found.call_site.function == "test_statements_of_one_line_for_one_row_each_are_n_plus_one"
    assert 0 < found.total_s < 10
    assert "Each reads log_novel by writer_id: " in found.advice
    assert str(found).startswith(f"{found.call_site} sent {WRITERS} times, in ")


async def test_reads_into_types_are_looked_at_too(one_by_one):
    with StatementLog() as log:
        for number in range(1, 4):
            await Writers(one_by_one).get(number, into=Name)
    [found] = log.n_plus_one()
    assert found.count == 3
    assert "Each reads log_writer by id: " in found.advice


async def test_the_same_values_again_are_no_n_plus_one(one_by_one):
    with StatementLog() as log:
        for _ in range(3):
            await Writers(one_by_one).get(1, into=Name)
            await Writers(one_by_one).get(1)
    assert len(log) == 6
    assert log.n_plus_one() == []


async def test_two_lines_are_not_one(one_by_one):
    with StatementLog() as log:
        await Writers(one_by_one).get(1, into=Name)
        await Writers(one_by_one).get(2, into=Name)
    assert log.n_plus_one() == []


async def test_chunks_of_many_rows_are_no_n_plus_one(press):
    async with press.writing() as session:
        await session.execute(text("INSERT INTO log_writer SELECT n, 'w' FROM generate_series(1000, 2600) n"))
    with StatementLog() as log:
        async with AsyncSession(press.engine) as session:
            await session.execute(text("SELECT 1"))
            (await session.scalars(select(Writer).options(selectinload(Writer.novels)))).all()
            session.add_all([Novel(id=number, writer_id=1) for number in range(10_000, 13_000)])
            await session.flush()
    kinds = [each.fingerprint for each in log]
    assert max(kinds.count(kind) for kind in kinds) > 2
    assert log.n_plus_one() == []


async def test_chunks_of_keys_are_no_n_plus_one(one_by_one):
    with StatementLog() as log:
        for start in range(3):
            await Writers(one_by_one).get_many(list(range(start, start + 25)), into=Name)
    assert len(log) == 3
    assert log.n_plus_one() == []


@pytest.mark.parametrize(
    ("write", "instead"),
    [
        (lambda writers, number: writers.add(Writer(id=100 + number, name="x")), "insert_many"),
        (lambda writers, number: writers.delete_where(Writer.id == 100 + number), "delete_many"),
    ],
)
async def test_writes_of_one_row_each_are_told_what_writes_many(press, write, instead):
    with StatementLog() as log:
        for number in range(3):
            await write(Writers(press), number)
    [found] = log.n_plus_one()
    assert f"{instead}(...)" in found.advice


async def test_a_report_has_a_line_for_each_kind_and_line(one_by_one):
    with StatementLog() as log:
        for number in range(1, 4):
            await Writers(one_by_one).get(number, into=Name)
        await Writers(one_by_one).count()
    head, columns, *lines = log.report().splitlines()
    assert head.startswith("4 statements of 2 kinds, ")
    assert columns.split() == ["count", "rows", "wait", "ms", "execute", "ms", "decode", "ms", "from", "statement"]
    assert sorted(line.split()[0] for line in lines) == ["1", "3"]


def test_a_report_of_nothing_says_so():
    assert StatementLog().report() == "no statements"


# What it forbids.


@pytest.mark.parametrize("into", [None, Name])
async def test_a_statement_too_many_is_not_sent(press, into):
    words = r"^at most 2 statements .*test_a_statement_too_many_is_not_sent\(\)"
    with StatementLog() as log, pytest.raises(TooManyStatements, match=words), max_statements(2) as limited:
        for number in range(1, 9):
            await Writers(press).get(number, into=into)
    assert (len(log), len(limited)) == (2, 2)
    assert press.pool.leases() == []


async def test_a_statement_too_many_is_not_written(press, outside):
    with pytest.raises(TooManyStatements) as caught, max_statements(2):
        for number in range(3):
            await Writers(press).add(Writer(id=100 + number, name="secret"))
    assert await outside.fetchval("SELECT count(*) FROM log_writer WHERE id >= 100") == 2
    assert isinstance(caught.value, DALError)
    assert "sent 2 times" in str(caught.value)
    assert "insert_many" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_as_many_as_allowed_pass_and_the_tasks_inside_count(press):
    with max_statements(2):
        await asyncio.gather(Writers(press).count(), Novels(press).count())
    with pytest.raises(TooManyStatements), max_statements(1):
        await asyncio.gather(Writers(press).count(), Novels(press).count())


@pytest.mark.parametrize("into", [Name, WriterCard])
async def test_a_limit_of_one_who_shares_a_statement_is_nobody_elses(press, into):
    most = 0 if into is Name else 1

    async def limited(number):
        with max_statements(most):
            await Writers(press).get(number, into=into)

    async def free(number):
        return (await Writers(press).get(number, into=into)).name

    with StatementLog(everywhere=True) as log:
        answers = await asyncio.gather(free(1), limited(2), free(3), limited(4), return_exceptions=True)
    assert answers[::2] == ["writer 1", "writer 3"]
    if into is Name:
        assert len(log) == 1  # which they share as before
    assert [type(each) for each in answers[1::2]] == [TooManyStatements] * 2


async def test_a_transaction_goes_on_after_a_statement_that_was_refused(press):
    async with Press(press) as unit:
        await unit.writers.count()
        with pytest.raises(TooManyStatements), max_statements(0):
            await unit.writers.count()
        assert await unit.writers.count() == WRITERS


# What it warns of.


async def test_a_request_with_n_plus_one_logs_one_report(one_by_one, caplog):
    with caplog.at_level(logging.WARNING, "dal"), n_plus_one_logged("GET /writers"):
        async with Press(one_by_one) as press:
            for writer in await press.writers.list():
                await writer.awaitable_attrs.novels
        for number in range(1, 4):
            await Writers(one_by_one).get(number, into=Name)
    [record] = caplog.records
    assert record.name == "dal"
    head, *lines = record.getMessage().splitlines()
    assert head == f"N+1 in GET /writers, {WRITERS + 4} statements:"
    assert [line.split(" sent ")[1].split(" times")[0] for line in lines if " sent " in line] == [str(WRITERS), "3"]


async def test_a_request_without_logs_nothing(press, caplog):
    with caplog.at_level(logging.WARNING, "dal"), n_plus_one_logged():
        async with Press(press) as unit:
            for writer in await unit.writers.list():
                await writer.awaitable_attrs.novels
    assert caplog.records == []


async def test_a_request_that_raises_is_reported_too(one_by_one, caplog):
    with pytest.raises(ZeroDivisionError), n_plus_one_logged():
        for number in range(1, 4):
            await Writers(one_by_one).get(number)
        raise ZeroDivisionError
    assert len(caplog.records) == 1
