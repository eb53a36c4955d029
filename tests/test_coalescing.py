"""Lookups that share a statement give what each would give alone."""

from __future__ import annotations

import asyncio
import contextvars
import random
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from dal import Database, PoolConfig, UnitOfWork
from dal.errors import (
    ConnectionLost,
    DataException,
    InsufficientPrivilege,
    PoolClosed,
    PoolMisused,
    PoolOverloaded,
    PoolTimeout,
    ProjectionError,
    QueryCanceled,
)
from dal.pool import first_in_line
from dal.projection import coalescing
from dal.telemetry import StatementLog
from tests import lookup_models as models
from tests.cancelling import serves, until_quiet
from tests.looking import backends, until, until_waiting_for_a_lock
from tests.lookup_models import Named, Picky, ShelfAndTopic, ShelfCard, Shelves, repository

SIZE: Final = 4


class Library(UnitOfWork):
    """Shelves, in one transaction."""

    shelves: Shelves


@pytest.fixture
async def library(database_url):
    # Nobody is shed: also on a busy machine everybody has his answer.
    async with Database(database_url, pool=PoolConfig(size=SIZE, admission_target_s=4)) as db:
        await models.create(db)
        yield db


@pytest.fixture
async def apart(library):
    async with _apart(library) as db:
        yield db


@pytest.fixture
def shelves(library):
    return Shelves(library)


def _apart(db):
    """Give the same database without coalescing: what each would get alone."""
    return Database(db.config, coalesce=False)


async def _locked(outside):
    """Let every read of a shelf wait."""
    await outside.execute("BEGIN; LOCK TABLE lookup_shelf")


def _is_idle(db):
    queues = db.lookups._queues.values()
    return not db.lookups._lanes and not any(queue.lanes or queue.batches or queue.alarm for queue in queues)


# What is one statement.


async def test_fifty_lookups_of_one_turn_are_one_statement(shelves):
    with StatementLog() as log:
        found = await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 51)))
    assert len(log) == 1
    assert found == [Named(f"shelf {n}") if n <= models.SHELVES else None for n in range(1, 51)]


async def test_fifty_lookups_are_one_round_trip(library, faulty_network, assert_round_trips):
    shelves = Shelves(library)
    for _ in range(2):
        await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 51)))
    assert faulty_network
    with assert_round_trips(1):
        await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 51)))


async def test_collections_are_one_statement_for_all(shelves):
    with StatementLog() as log:
        found = await asyncio.gather(*(shelves.get(number, into=ShelfCard) for number in range(1, 21)))
    assert len(log) == 2
    assert [(each.id, len(each.books)) for each in found] == [(n, models.BOOKS_EACH) for n in range(1, 21)]


async def test_get_many_and_exists_share_statements_too(shelves):
    with StatementLog() as log:
        one, few, there, not_there = await asyncio.gather(
            shelves.get(1, into=Named),
            shelves.get_many([3, 99, 3, 2], into=Named),
            shelves.exists(1),
            shelves.exists(99),
        )
    assert len(log) == 2  # of the two types
    assert (one, few) == (Named("shelf 1"), [Named("shelf 3"), None, Named("shelf 3"), Named("shelf 2")])
    assert (there, not_there) == (True, False)


async def test_a_large_get_many_goes_alone(shelves):
    with StatementLog() as log:
        many, one = await asyncio.gather(shelves.get_many(range(1, 200), into=Named), shelves.get(5, into=Named))
    assert len(log) == 2
    assert (many[4], many[60], one) == (Named("shelf 5"), None, Named("shelf 5"))


async def test_one_that_is_alone_sends_what_it_would_send_without_coalescing(shelves):
    with StatementLog() as log:
        await shelves.get(1, into=Named)
    assert "unnest" not in log.statements[0].text


async def test_lookups_that_come_while_all_lanes_are_busy_are_one_statement(library, shelves, outside):
    await _locked(outside)
    first = []
    for number in range(1, coalescing.LANES + 1):
        first.append(asyncio.create_task(shelves.get(number, into=Named)))
        await until(lambda lanes=number: library.pool.status().checked_out == lanes)
    with StatementLog() as log:
        others = []
        for number in range(10, 20):
            others.append(asyncio.create_task(shelves.get(number, into=Named)))
            await asyncio.sleep(0)
        await outside.execute("ROLLBACK")
        found = await asyncio.gather(*others)
    await asyncio.gather(*first)
    assert found == [Named(f"shelf {n}") for n in range(10, 20)]
    assert len(log) == 1


async def test_those_who_ask_again_at_once_are_sent_as_two_halves(shelves):
    async def read_twice(number):
        return [await shelves.get(number, into=Named), await shelves.get(number + 1, into=Named)]

    with StatementLog() as log:
        found = await asyncio.gather(*(read_twice(number) for number in range(1, 39)))
    assert found == [[Named(f"shelf {number}"), Named(f"shelf {number + 1}")] for number in range(1, 39)]
    assert [statement.rows for statement in log] == [38, 19, 19]


async def test_those_who_ask_again_later_are_one_statement(shelves):
    with StatementLog() as log:
        for _ in range(3):
            await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 39)))
    assert [statement.rows for statement in log] == [38, 38, 38]


async def test_no_statement_has_more_keys_than_its_bound(library, shelves, monkeypatch):
    monkeypatch.setattr("dal.projection.coalescing.KEYS_AT_MOST", 10)
    with StatementLog() as log:
        found = await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 36)))
    assert [each.name for each in found] == [f"shelf {n}" for n in range(1, 36)]
    assert len(log) == 4
    assert max(statement.rows for statement in log) == 10


async def test_lookups_beyond_all_batches_go_themselves(shelves, monkeypatch):
    monkeypatch.setattr("dal.projection.coalescing.KEYS_AT_MOST", 1)
    monkeypatch.setattr("dal.projection.batch.BATCHES", 3)
    found = await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 31)))
    assert [each.name for each in found] == [f"shelf {n}" for n in range(1, 31)]


async def test_without_coalescing_each_is_a_statement(apart):
    with StatementLog() as log:
        await asyncio.gather(*(Shelves(apart).get(number, into=Named) for number in range(1, 6)))
    assert len(log) == 5


async def test_a_unit_of_work_reads_for_itself_alone(library, shelves):
    async with Library(library) as unit:
        await unit.session.execute(text("UPDATE lookup_shelf SET name = 'mine' WHERE id = 1"))
        inside, outside = await asyncio.gather(unit.shelves.get(1, into=Named), shelves.get(1, into=Named))
    assert (inside, outside) == (Named("mine"), Named("shelf 1"))


async def test_who_goes_first_in_line_joins_nobody(shelves):
    async def first(number):
        with first_in_line():
            return await shelves.get(number, into=Named)

    with StatementLog() as log:
        await asyncio.gather(first(1), *(shelves.get(number, into=Named) for number in range(2, 6)))
    assert len(log) == 2


# Objects.


@pytest.mark.parametrize("into", [Named, ShelfCard, ShelfAndTopic])
async def test_nobody_shares_an_object_with_another(shelves, into):
    found = await asyncio.gather(*(shelves.get(number, into=into) for number in (1, 1, 5, 1, 9)))
    assert found[0] == found[1] == found[3]
    parts = [part for each in found for part in _mutable_parts(each)]
    assert len({id(part) for part in parts}) == len(parts)


def _mutable_parts(found: Any) -> list[Any]:
    if isinstance(found, list):
        return [found, *(part for each in found for part in _mutable_parts(each))]
    if hasattr(found, "__dict__"):
        return [found, *(part for each in vars(found).values() for part in _mutable_parts(each))]
    return []


@pytest.mark.parametrize("into", [models.Counted, models.NumberedBooks, models.Aggregate, models.Highest])
async def test_what_depends_on_other_rows_depends_on_nobody_elses(library, shelves, into):
    keys = [1, 2, 2, 99]
    async with _apart(library) as db:
        alone = [await Shelves(db).get(key, into=into) for key in keys]
    assert await asyncio.gather(*(shelves.get(key, into=into) for key in keys)) == alone
    assert await shelves.get_many(keys, into=into) == alone


async def test_one_row_that_cannot_be_made_into_an_object_is_its_askers_alone(shelves):
    found = await asyncio.gather(*(shelves.get(n, into=Picky) for n in (6, 7, 8)), return_exceptions=True)
    assert (found[0], found[2]) == (Picky(6, "shelf 6"), Picky(8, "shelf 8"))
    assert isinstance(found[1], ValueError)


# Keys.

_NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_TOKEN: Final = "0f0e0d0c-0b0a-0908-0706-050403020100"


class Text(str):
    """A kind of str."""

    __slots__ = ()


class Whole:
    """A whole number of another library's."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


KEYS: Final[list[tuple[Any, list[Any], list[Any]]]] = [
    (models.Padded, ["a", "b  "], ["a", "a ", "a    ", "b", Text("a"), "A", "", "abcdefgh"]),
    (models.Folded, ["Anna", "bert"], ["anna", "ANNA", "Bert", "nobody", Text("aNNa")]),
    (models.Token, [UUID(_TOKEN)], [UUID(_TOKEN), _TOKEN, _TOKEN.upper(), _TOKEN.replace("-", ""), "no uuid", 1]),
    (models.Price, [Decimal("1.00"), Decimal("2.50")], [Decimal(1), 1, True, 1.0, Decimal("2.504"), "2.5"]),
    (models.Blob, [b"ab"], [b"ab", bytearray(b"ab"), memoryview(b"ab"), b"", "ab"]),
    (models.Moment, [_NOON], [_NOON, _NOON.astimezone(timezone(timedelta(hours=2))), _NOON.replace(tzinfo=None)]),
    (models.Feeling, [models.Mood.glad], [models.Mood.glad, "glad", models.Mood.sad, "nothing"]),
    (models.Span, [Range(1, 5)], [Range(1, 5), Range(1, 4, bounds="[]"), Range(2, 5)]),
    (models.Path, [[1, 2], [3]], [[1, 2], [3], [4], []]),
    (models.Evens, [2, 4], [2, 4, 3, 6, Whole(2)]),
    (models.Shelf, [], [1, True, Whole(2), 2**40, 2**70, "1", 1.0, None]),
]


@pytest.mark.parametrize(("model", "there", "asked"), KEYS, ids=[model.__name__ for model, _, _ in KEYS])
async def test_any_key_finds_what_it_finds_alone(library, outside, model, there, asked):
    if await outside.fetchval("SELECT to_regclass($1)", model.__tablename__) is None:
        pytest.skip("this server has no citext")
    async with library.writing_once() as session:
        for number, key in enumerate(there):
            await session.execute(insert(model).values(key=key, name=f"row {number}"))
    async with _apart(library) as db:
        alone = [await _outcome(repository(model, db).get(key, into=Named)) for key in asked]
    together = await asyncio.gather(*(_outcome(repository(model, library).get(key, into=Named)) for key in asked))
    assert together == alone
    assert sum(isinstance(each, Named) for each in together) >= max(1, len(there) - 1)
    sound = [key for key, each in zip(asked, alone, strict=True) if each is None or isinstance(each, Named)]
    expected = [each for each in alone if each is None or isinstance(each, Named)]
    assert await repository(model, library).get_many(sound, into=Named) == expected


async def test_a_key_of_several_columns_is_matched_as_a_whole(library):
    async with library.begin() as session:
        session.add_all([models.Pair(one=one, other=other, name=f"{one}{other}") for one in (1, 2) for other in "ab"])
    pairs = repository(models.Pair, library)
    keys = [(1, "a"), {"other": "b", "one": 1}, (3, "a")]
    found = await asyncio.gather(*(pairs.get(key, into=Named) for key in keys))
    assert found == [Named("1a"), Named("1b"), None]


async def _outcome(work: Any) -> Any:
    try:
        return await work
    except Exception as error:  # whatever it is, it is compared
        return type(error), str(error)


async def test_a_key_that_the_driver_refuses_fails_its_asker_alone(shelves):
    found = await asyncio.gather(*(shelves.get(n, into=Named) for n in (1, 2**70, 2)), return_exceptions=True)
    assert (found[0], found[2]) == (Named("shelf 1"), Named("shelf 2"))
    assert isinstance(found[1], DataException)


async def test_a_key_that_is_none_is_refused_before_it_disturbs_anybody(shelves):
    with StatementLog() as log:
        found = await asyncio.gather(shelves.get(1, into=Named), shelves.get("x", into=Named), return_exceptions=True)
    assert found[0] == Named("shelf 1")
    assert isinstance(found[1], ProjectionError)
    assert len(log) == 1


# Errors.


async def _failing(shelves, outside, how):
    """Have the server refuse five lookups while they wait for a lock."""
    await _locked(outside)
    tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 6)]
    pid = await until_waiting_for_a_lock(outside)
    await outside.execute(f"SELECT {how}($1)", pid)
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    await outside.execute("ROLLBACK")
    return errors


@pytest.mark.parametrize(
    ("how", "kind"), [("pg_cancel_backend", QueryCanceled), ("pg_terminate_backend", ConnectionLost)]
)
async def test_an_error_reaches_each_as_one_of_his_own(library, shelves, outside, how, kind):
    errors = await _failing(shelves, outside, how)
    assert [type(error) for error in errors] == [type(errors[0])] * 5
    assert isinstance(errors[0], kind)
    assert len({id(error) for error in errors}) == 5
    assert len({id(error.__traceback__) for error in errors}) == 5
    assert len({id(error.__cause__) for error in errors}) == 1
    assert type(errors[0].__cause__) is type(errors[0])
    first = errors[0].__cause__
    assert all((error.sqlstate, error.orig, str(error)) == (first.sqlstate, first.orig, str(first)) for error in errors)
    assert await shelves.get(1, into=Named) == Named("shelf 1")
    assert await serves(library)


async def test_a_missing_privilege_is_told_to_each(library, role_url):
    config = type(library.config).from_url(role_url, pool=PoolConfig(size=2))
    async with Database(config) as db:
        errors = await asyncio.gather(*(Shelves(db).get(n, into=Named) for n in range(3)), return_exceptions=True)
    assert [type(error) for error in errors] == [InsufficientPrivilege] * 3


async def test_a_pool_that_is_overloaded_tells_each(database_url):
    config = PoolConfig(size=1, max_waiting=0)
    async with Database(database_url, pool=config) as db:
        await models.create(db)
        async with db.checkout():
            errors = await asyncio.gather(*(Shelves(db).get(n, into=Named) for n in range(5)), return_exceptions=True)
        assert [type(error) for error in errors] == [PoolOverloaded] * 5
        assert len({id(error) for error in errors}) == 5
        assert all(error.retry_after_s > 0 for error in errors)
        assert db.pool.status().totals.shed == 1
        assert await Shelves(db).get(1, into=Named)


async def test_a_pool_without_a_connection_tells_each_in_time(database_url):
    async with Database(database_url, pool=PoolConfig(size=1, checkout_timeout_s=0.2)) as db:
        await models.create(db)
        async with db.checkout():
            errors = await asyncio.gather(*(Shelves(db).get(n, into=Named) for n in range(5)), return_exceptions=True)
        assert [type(error) for error in errors] == [PoolTimeout] * 5


# Freshness.


async def test_a_read_after_a_commit_sees_it_whatever_is_under_way(library, shelves, outside):
    stop = False

    async def load(number):
        while not stop:
            await shelves.get(number, into=Named)

    noise = [asyncio.create_task(load(1 + number % 10)) for number in range(30)]
    try:
        for turn in range(300):
            await outside.execute("UPDATE lookup_shelf SET name = $1 WHERE id = 1", f"turn {turn}")
            assert await shelves.get(1, into=Named) == Named(f"turn {turn}")
    finally:
        stop = True
        await asyncio.gather(*noise)


async def test_a_read_that_is_called_while_a_statement_is_under_way_is_not_answered_by_it(
    database_url, faulty_network, outside
):
    # Nobody is shed: also on a busy machine everybody has his answer.
    async with Database(database_url, pool=PoolConfig(size=SIZE, admission_target_s=4)) as db:
        await models.create(db)
        shelves = Shelves(db)
        for _ in range(3):
            await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 5)))
        faulty_network.delay(0.2)  # of the answers: the statement is done before the change
        trips = faulty_network.round_trips
        early = [asyncio.create_task(shelves.get(1, into=Named)) for _ in range(5)]
        await until(lambda: faulty_network.round_trips > trips)
        await until_done(outside, "lookup_shelf")
        await outside.execute("UPDATE lookup_shelf SET name = 'new' WHERE id = 1")
        late = await asyncio.gather(*(shelves.get(1, into=Named) for _ in range(5)))
        faulty_network.heal()
        assert {each.name for each in await asyncio.gather(*early)} == {"shelf 1"}
        assert {each.name for each in late} == {"new"}


async def until_done(outside, words):
    """Wait until a statement with *words* in it was answered."""

    async def done():
        return any(each["state"] == "idle" and words in each["query"] for each in await backends(outside))

    await until(done)


# Cancellation and the end.


async def test_a_caller_that_is_cancelled_disturbs_nobody(library, shelves, outside):
    await _locked(outside)
    with StatementLog() as log:
        tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 11)]
        await until_waiting_for_a_lock(outside)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks[::2], return_exceptions=True)
        await outside.execute("ROLLBACK")
        assert await asyncio.gather(*tasks[1::2]) == [Named(f"shelf {n}") for n in range(2, 11, 2)]
    assert len(log) == 1
    await until(lambda: _is_idle(library))


async def test_the_first_of_a_turn_may_be_cancelled(library, shelves):
    tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 6)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [Named(f"shelf {n}") for n in range(2, 6)]
    await until(lambda: _is_idle(library))


async def test_what_nobody_waits_for_any_more_is_not_sent(library, shelves):
    with StatementLog() as log:
        tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 6)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: _is_idle(library))
    assert len(log) == 0


async def test_keys_of_those_who_left_are_not_sent(library, shelves):
    with StatementLog() as log:
        async with library.checkout(), library.checkout(), library.checkout(), library.checkout():
            tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 11)]
            await until(lambda: library.pool.status().waiting)
            for task in tasks[:7]:
                task.cancel()
            await asyncio.gather(*tasks[:7], return_exceptions=True)
        assert await asyncio.gather(*tasks[7:]) == [Named(f"shelf {n}") for n in range(8, 11)]
    assert [statement.rows for statement in log] == [3]


async def test_ten_thousand_cancellations_leave_nothing_behind(library, shelves, outside):
    chance = random.Random(seed := random.randrange(1 << 32))
    left, wrong = 10_000, []

    async def spend():
        nonlocal left
        while left > 0:
            left -= 1
            number = chance.randrange(1, 50)
            into = chance.choice([Named, Named, ShelfCard])
            task = asyncio.create_task(shelves.get(number, into=into))
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            if chance.random() < 0.7:
                task.cancel()
            found = (await asyncio.gather(task, return_exceptions=True))[0]
            if not isinstance(found, asyncio.CancelledError) and not _is_right(number, found):
                wrong.append((number, found))

    async with asyncio.timeout(50):
        await asyncio.gather(*(spend() for _ in range(40)))
    assert wrong == [], seed
    await until(lambda: _is_idle(library) and not library.pool.leases())
    await until_quiet(outside)
    assert await serves(library)


def _is_right(number: int, found: Any) -> bool:
    if number > models.SHELVES:
        return found is None
    return getattr(found, "name", None) == f"shelf {number}" or getattr(found, "id", None) == number


async def test_a_lane_that_is_cancelled_leaves_its_callers_their_answers(library, shelves, outside):
    await _locked(outside)
    tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 4)]
    await until_waiting_for_a_lock(outside)
    for lane in list(library.lookups._lanes):
        lane.cancel()
    await outside.execute("ROLLBACK")
    assert await asyncio.gather(*tasks) == [Named(f"shelf {n}") for n in range(1, 4)]


async def test_a_server_that_does_not_answer_holds_up_only_those_who_asked_it(library, shelves, outside):
    await _locked(outside)
    await outside.execute("SET LOCAL application_name = 'locker'")
    stuck = []
    for number in range(coalescing.LANES):
        stuck.append(asyncio.create_task(shelves.get(1, into=ShelfCard)))
        await until(lambda lanes=number + 1: library.pool.status().checked_out == lanes)
    assert all(not task.done() for task in stuck)
    others = [asyncio.create_task(shelves.get(2, into=ShelfCard)) for _ in range(3)]
    await until(lambda: library.pool.status().checked_out == coalescing.LANES + 1)
    await outside.execute("ROLLBACK")
    await asyncio.gather(*stuck, *others)
    await until(lambda: _is_idle(library))


async def test_a_statement_that_nobody_waits_for_any_more_is_cancelled(library, shelves, outside):
    await _locked(outside)
    tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 6)]
    await until_waiting_for_a_lock(outside)
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks[1:], return_exceptions=True)
    assert library.pool.leases()  # one still waits
    tasks[0].cancel()
    await until(lambda: library.pool.leases() == [])
    await until_quiet(outside)
    assert await serves(library)
    await outside.execute("ROLLBACK")


async def test_answers_that_never_come_hold_no_connections(database_url, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=3)) as db:
        await models.create(db)
        shelves = Shelves(db)
        for _ in range(3):
            await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 5)))
        faulty_network.black_hole()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.gather(*(shelves.get(number, into=Named) for number in range(1, 5)))
        await until(lambda: db.pool.leases() == [])
        faulty_network.heal()
        assert await shelves.get(1, into=Named) == Named("shelf 1")


async def test_closing_ends_what_nobody_waits_for(library, shelves, outside):
    await _locked(outside)
    tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 4)]
    await until_waiting_for_a_lock(outside)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    before = asyncio.all_tasks()
    await library.close()
    await outside.execute("ROLLBACK")
    assert not library.lookups._lanes
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
    await until(lambda: {task for task in asyncio.all_tasks() if task is not asyncio.current_task()} == set())


async def test_closing_tells_those_who_wait_for_a_connection(library, shelves):
    async with library.checkout(), library.checkout(), library.checkout(), library.checkout():
        tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 4)]
        await until(lambda: library.pool.status().waiting)
        await library.close()
        assert not library.lookups._lanes
        errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in errors] == [PoolClosed] * 3


async def test_a_statement_under_way_is_answered_after_closing(library, shelves, outside):
    await _locked(outside)
    tasks = [asyncio.create_task(shelves.get(number, into=Named)) for number in range(1, 4)]
    await until_waiting_for_a_lock(outside)
    await library.close()
    await outside.execute("ROLLBACK")
    assert await asyncio.gather(*tasks) == [Named(f"shelf {n}") for n in range(1, 4)]
    await until(lambda: not library.pool.leases())


async def test_a_database_that_is_closed_says_so(library, shelves):
    await library.close()
    errors = await asyncio.gather(*(shelves.get(n, into=Named) for n in range(3)), return_exceptions=True)
    assert [type(error) for error in errors] == [PoolClosed] * 3


async def test_another_loop_is_refused(library, shelves):
    await shelves.get(1, into=Named)

    def elsewhere():
        async def two():
            return await asyncio.gather(*(shelves.get(n, into=Named) for n in (1, 2)), return_exceptions=True)

        return asyncio.run(two())

    errors = await asyncio.to_thread(elsewhere)
    assert [type(error) for error in errors] == [PoolMisused] * 2
    assert await asyncio.gather(*(shelves.get(n, into=Named) for n in (1, 2))) == [Named("shelf 1"), Named("shelf 2")]


# Hooks, leases and logs.


async def test_a_listener_that_is_added_on_the_fly_hears_of_each(library, shelves, outside):
    heard: list[Any] = []

    def hear(state):
        heard.append(state.statement)

    async def five():
        return await asyncio.gather(*(shelves.get(n, into=Named) for n in range(1, 6)))

    await five()
    event.listen(Session, "do_orm_execute", hear)
    try:
        assert await five() == [Named(f"shelf {n}") for n in range(1, 6)]
        assert len(heard) == 5
    finally:
        event.remove(Session, "do_orm_execute", hear)
    with StatementLog() as log:
        await five()
    assert (len(heard), len(log)) == (5, 1)


async def test_a_listener_that_is_added_while_a_lookup_waits_hears_of_it(library, shelves):
    heard: list[str] = []

    def hear(_connection, _cursor, statement, *_):
        heard.append(statement)

    engine = library.engine.sync_engine
    async with library.checkout(), library.checkout(), library.checkout(), library.checkout():
        tasks = [asyncio.create_task(shelves.get(n, into=Named)) for n in range(1, 4)]
        await until(lambda: library.pool.status().waiting)
        event.listen(engine, "before_cursor_execute", hear)
    try:
        assert await asyncio.gather(*tasks) == [Named(f"shelf {n}") for n in range(1, 4)]
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    assert len(heard) == 3


async def _asking(shelves, number):
    return await shelves.get(number, into=Named)


async def test_a_shared_statement_is_logged_once_with_the_line_of_who_asked_first(shelves):
    with StatementLog() as log:
        await asyncio.gather(*(_asking(shelves, number) for number in range(1, 6)))
    [statement] = log
    assert (statement.call_site.file, statement.call_site.function) == (__file__, "_asking")
    assert statement.rows == 5


async def test_the_lease_of_a_shared_statement_names_the_line_of_who_asked_first(library, shelves, outside):
    await _locked(outside)
    tasks = [asyncio.create_task(_asking(shelves, number)) for number in range(1, 4)]
    await until_waiting_for_a_lock(outside)
    [lease] = library.pool.leases()
    assert (lease.call_site.file, lease.call_site.function) == (__file__, "_asking")
    await outside.execute("ROLLBACK")
    await asyncio.gather(*tasks)


async def test_nobody_sees_anothers_context(library, shelves, monkeypatch):
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="nobody's")
    seen = []
    reading_driver = library.reading_driver
    monkeypatch.setattr(library, "reading_driver", lambda: seen.append(mark.get()) or reading_driver())

    async def marked(number):
        mark.set(f"of {number}")
        return await shelves.get(number, into=Named)

    await asyncio.gather(*(asyncio.create_task(marked(number)) for number in range(1, 4)))
    assert seen == ["nobody's"]


# Everything at once.


@dataclass(frozen=True)
class Step:
    """Somebody asks for keys, after some turns of the loop, and may be cancelled after some more."""

    keys: tuple[int, ...]
    into: Any
    after: int
    cancelled_after: int | None


STEPS: Final = st.builds(
    Step,
    keys=st.lists(st.sampled_from([1, 2, 3, 7, 39, 99, 2**70]), min_size=1, max_size=4).map(tuple),
    into=st.sampled_from([Named, ShelfCard, ShelfAndTopic, Picky]),
    after=st.integers(0, 12),
    cancelled_after=st.none() | st.integers(0, 20),
)


async def _take(db, step):
    for _ in range(step.after):
        await asyncio.sleep(0)
    shelves = Shelves(db)

    async def read():
        one = len(step.keys) == 1
        return await _outcome(
            shelves.get(step.keys[0], into=step.into) if one else shelves.get_many(step.keys, into=step.into)
        )

    task = asyncio.create_task(read())
    if step.cancelled_after is not None:
        for _ in range(step.cancelled_after):
            await asyncio.sleep(0)
        task.cancel()
    with suppress(asyncio.CancelledError):
        return await task
    return asyncio.CancelledError


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=25), lanes=st.integers(1, 3), bound=st.integers(4, 12))
async def test_any_interleaving_gives_what_separate_statements_give(library, apart, steps, lanes, bound):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coalescing, "LANES", lanes)
        patch.setattr(coalescing, "KEYS_AT_MOST", bound)
        patch.setattr(coalescing, "WORTH_HALVING", 4)
        together = await asyncio.gather(*(_take(library, step) for step in steps))
    for step, found in zip(steps, together, strict=True):
        if found is not asyncio.CancelledError:
            assert found == await _take(apart, replace(step, after=0, cancelled_after=None))
    await until(lambda: _is_idle(library) and not library.pool.leases())
