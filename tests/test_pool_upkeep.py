"""What the pool does by itself: it replaces what is old, closes what is spare, asks the silent, names the forgetful."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.pool.slot import expiry
from dal.pool.upkeep import look
from tests.cancelling import serves
from tests.looking import backends, drivers, until

# Nothing is due by itself: the tests look at later moments.
THREE = PoolConfig(size=3, max_lifetime_s=1000, idle_timeout_s=600, keepalive_s=120, leak_after_s=60)


@pytest.fixture
async def three(database_url):
    async with Database(database_url, pool=THREE) as db:
        yield db


def _look(db, seconds):
    look(db.pool.stock, time.monotonic() + seconds)


def _held(db):
    return {slot.driver for slot in db.pool.stock.slots}


async def _until_idle(db, number):
    await until(lambda: db.pool.status().idle == number)


# Age.


def test_connections_opened_together_end_apart():
    ends = {expiry(0, 1000) for _ in range(100)}
    assert 900 <= min(ends) < max(ends) <= 1000
    assert max(ends) - min(ends) > 50


async def test_old_connections_are_replaced_also_while_idle(three):
    before = _held(three)
    _look(three, 1000)
    await _until_idle(three, 3)
    assert not _held(three) & before
    assert three.pool.status().totals.expired == 3


async def test_connections_that_are_not_old_stay(three):
    before = _held(three)
    _look(three, 100)
    assert (_held(three), three.pool.status().idle) == (before, 3)


async def test_old_connections_are_replaced_by_the_upkeep_itself(database_url, outside):
    async with Database(database_url, pool=PoolConfig(size=2, max_lifetime_s=0.1)) as db:
        before = _held(db)
        await until(lambda: len(_held(db) - before) == 2)
        assert len(await backends(outside)) <= 2


async def test_an_old_connection_in_use_goes_when_it_comes_back(three):
    async with three.checkout() as driver:
        three.pool.expire(0)
        assert await driver.fetchval("SELECT 1") == 1
    await until(driver.is_closed)
    await _until_idle(three, 3)


# Spare ones.


async def test_spare_connections_are_closed_down_to_the_floor(database_url, outside):
    async with Database(database_url, pool=dataclasses.replace(THREE, min_idle=1)) as db:
        await drivers(db)
        _look(db, 599)
        await _until_idle(db, 3)
        _look(db, 601)
        await until(lambda: len(_held(db)) == 1)

        async def one_is_left():
            return len(await backends(outside)) == 1

        await until(one_is_left)
        assert await serves(db)


# Silent ones.


async def test_a_silent_connection_is_asked_for_a_sign_of_life(three):
    asked = time.monotonic()
    _look(three, 121)
    await until(lambda: all(slot.checked_at > asked for slot in three.pool.stock.idle))
    await _until_idle(three, 3)


async def test_a_sign_of_life_is_no_use(database_url):
    async with Database(database_url, pool=dataclasses.replace(THREE, min_idle=1)) as db:
        await drivers(db)
        _look(db, 300)
        await _until_idle(db, 3)
        _look(db, 601)
        await _until_idle(db, 1)


async def test_the_clock_of_the_test_kit_makes_connections_old(db, clock):
    assert await serves(db)
    before = _held(db)
    clock.advance(db.config.pool.max_lifetime_s)
    assert not _held(db) & before


async def test_a_connection_that_was_used_is_not_asked(three):
    for slot in three.pool.stock.slots:
        slot.age(100)
    assert await serves(three)
    _look(three, 100)
    assert three.pool.status().idle == 3


async def test_a_silent_connection_that_is_dead_is_replaced(database_url, faulty_network):
    async with Database(database_url, pool=THREE) as db:
        before = _held(db)
        faulty_network.black_hole()
        _look(db, 121)
        await until(lambda: not before & _held(db))
        faulty_network.heal()
        assert await serves(db)


# Forgotten ones.


def _warnings(caplog):
    return [record.message for record in caplog.records if record.name == "dal.pool"]


async def test_a_connection_that_is_held_for_long_is_reported_once(three, caplog):
    async with three.checkout():
        for seconds in (59, 61, 62):
            _look(three, seconds)
    warnings = [warning for warning in _warnings(caplog) if "not given back" in warning]
    assert len(warnings) == 1
    assert "test_pool_upkeep.py" in warnings[0]
    assert "in test_a_connection_that_is_held_for_long_is_reported_once()" in warnings[0]
    assert three.pool.status().totals.leaked == 1


async def test_a_reported_connection_that_comes_back_is_reported_again(three, caplog):
    async with three.checkout():
        _look(three, 61)
    assert "came back" in _warnings(caplog)[-1]


async def test_a_connection_that_comes_back_in_time_is_not_reported(three, caplog):
    async with three.checkout():
        _look(three, 59)
    assert _warnings(caplog) == []


async def test_an_idle_transaction_is_reported_with_its_last_statement(three, caplog):
    async with three.writing() as session:
        await session.execute(text("SELECT 42"))
        for seconds in (0, 11, 12):
            _look(three, seconds)
    warnings = [warning for warning in _warnings(caplog) if "a transaction waits" in warning]
    assert len(warnings) == 1
    assert "idle in a transaction after 'SELECT 42'" in warnings[0]


async def test_a_forgotten_transaction_is_reported_as_both(three, caplog):
    async with three.writing() as session:
        await session.execute(text("SELECT 42"))
        for seconds in (0, 11, 61):
            _look(three, seconds)
    assert [word in " ".join(_warnings(caplog)) for word in ("a transaction waits", "not given back")] == [True, True]
    assert three.pool.status().totals.leaked == 1


async def test_a_statement_that_runs_for_long_is_no_idle_transaction(three, caplog):
    async with three.engine.connect() as connection:
        running = asyncio.create_task(connection.execute(text("SELECT pg_sleep(0.2)")))
        await until(lambda: three.pool.leases() and three.pool.leases()[0].in_transaction)
        for seconds in (0, 11, 22):
            _look(three, seconds)
        await running
    assert _warnings(caplog) == []


async def test_a_connection_outside_a_transaction_is_no_idle_transaction(three, caplog):
    async with three.reading() as session:
        await session.execute(text("SELECT 1"))
        for seconds in (0, 11):
            _look(three, seconds)
    assert _warnings(caplog) == []
