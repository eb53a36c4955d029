"""Who holds a connection is on record while it is out."""

import asyncio

import pytest
from sqlalchemy import text

from dal import Database
from dal.demo.repositories import Shop

SELECT_1 = text("SELECT 1")


async def test_a_lease_names_task_file_and_function(db):
    asyncio.current_task().set_name("reader")
    async with db.reading() as session:
        await session.execute(SELECT_1)
        [lease] = db.pool.leases()
    function = "test_a_lease_names_task_file_and_function"
    assert (lease.task, lease.call_site.file, lease.call_site.function) == ("task 'reader'", __file__, function)


async def test_a_lease_names_the_line_that_took_the_connection(db):
    async with db.reading() as session:
        line = asyncio.current_task().get_stack(limit=1)[0].f_lineno + 1
        await session.execute(SELECT_1)
        assert db.pool.leases()[0].call_site.line == line


async def test_a_lease_names_who_used_the_repository(db):
    async with Shop(db) as shop:
        await shop.regions.count()
        [lease] = db.pool.leases()
    assert lease.call_site.function == "test_a_lease_names_who_used_the_repository"


async def test_leases_come_longest_held_first(db):
    async with db.reading() as first, db.reading() as second:
        await first.execute(SELECT_1)
        await second.execute(SELECT_1)
        since = [lease.since for lease in db.pool.leases()]
    assert len(since) == 2
    assert since == sorted(since)


async def test_a_lease_is_gone_after_checkin(db):
    async with db.reading() as session:
        await session.execute(SELECT_1)
    assert db.pool.leases() == []


async def test_a_lease_is_gone_after_a_failure(db):
    with pytest.raises(ZeroDivisionError):
        async with db.writing() as session:
            await session.execute(SELECT_1)
            raise ZeroDivisionError
    assert db.pool.leases() == []


async def test_an_unused_unit_of_work_holds_no_connection(db):
    async with Shop(db):
        assert db.pool.leases() == []


async def test_a_lease_is_gone_when_its_connection_is_killed(db, outside):
    async with db.engine.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        await outside.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await connection.invalidate()
    assert db.pool.leases() == []


async def test_leases_of_a_closed_database_are_none(database_url):
    db = Database(database_url)
    assert db.pool.leases() == []
