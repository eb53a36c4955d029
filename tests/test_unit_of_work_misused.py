"""A unit of work is used once, and between its beginning and its end."""

import asyncio
import re

import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.demo.repositories import Shop
from dal.errors import UnitOfWorkError
from tests.looking import count, until_running
from tests.shop_rows import region


async def test_use_before_the_beginning_says_so(db):
    with pytest.raises(UnitOfWorkError, match=r"^this Shop is not entered yet, and is used at .*: use it inside"):
        _ = Shop(db).session


async def test_use_after_the_end_says_so(db):
    async with Shop(db) as shop:
        pass
    with pytest.raises(UnitOfWorkError, match=r"^this Shop is over since .*: use it inside `async with`\.$"):
        _ = shop.session


async def test_a_repository_after_the_end_says_so(db):
    async with Shop(db) as shop:
        pass
    with pytest.raises(UnitOfWorkError, match="is over"):
        await shop.regions.get(1)


async def test_a_write_after_the_end_writes_nothing(db, outside):
    async with Shop(db) as shop:
        pass
    with pytest.raises(UnitOfWorkError):
        await shop.regions.add(region(1))
    assert await count(outside, "region") == 0


async def test_a_savepoint_after_the_end_says_so(db):
    async with Shop(db) as shop:
        pass
    with pytest.raises(UnitOfWorkError, match="is over"):
        await shop.savepoint().__aenter__()


async def test_entering_twice_says_to_make_a_new_one(db):
    async with Shop(db) as shop:
        pass
    with pytest.raises(UnitOfWorkError, match=r"^this Shop was entered before, at .*: make a new one\.$"):
        await shop.__aenter__()


async def test_entering_within_itself_says_to_make_a_new_one(db):
    async with Shop(db) as shop:
        with pytest.raises(UnitOfWorkError, match="make a new one"):
            await shop.__aenter__()


async def test_entering_twice_does_no_harm_to_the_first(db, outside):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        with pytest.raises(UnitOfWorkError):
            await shop.__aenter__()
    assert await count(outside, "region") == 1


# Nested by accident.


async def test_a_second_one_in_the_same_task_names_both_lines(db):
    async with Shop(db):
        with pytest.raises(UnitOfWorkError) as caught:
            await Shop(db).__aenter__()
    words = str(caught.value)
    assert words.count("in test_a_second_one_in_the_same_task_names_both_lines()") == 2
    assert words.endswith("Use that one, or its savepoint(); or say independent=True.")


async def test_a_second_one_does_no_harm_to_the_first(db, outside):
    async with Shop(db) as shop:
        with pytest.raises(UnitOfWorkError):
            await Shop(db).__aenter__()
        await shop.regions.add(region(1))
    assert await count(outside, "region") == 1


async def test_a_second_one_on_purpose_is_a_transaction_of_its_own(db, outside):
    with pytest.raises(ZeroDivisionError):
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            async with Shop(db, independent=True) as audit:
                await audit.regions.add(region(2))
            raise ZeroDivisionError
    assert await outside.fetch("SELECT id FROM region") == [(2,)]


async def test_one_after_the_other_is_no_nesting(db):
    for key in (1, 2):
        async with Shop(db) as shop:
            await shop.regions.add(region(key))


async def test_another_database_is_no_nesting(db, database_url):
    async with Database(database_url, pool=PoolConfig(size=1)) as other, Shop(db), Shop(other) as shop:
        assert await shop.regions.count() == 0


async def test_tasks_of_their_own_are_no_nesting(db):
    async def add(key):
        async with Shop(db) as another:
            await another.regions.add(region(key))

    async with Shop(db) as shop:
        await asyncio.gather(add(1), add(2))
        assert await shop.regions.count() == 2


# Two tasks at once.


async def _slow(shop, seconds=30):
    async with shop.reading() as session:
        await session.execute(text(f"SELECT pg_sleep({seconds})"))


@pytest.mark.parametrize("use", [lambda shop: shop.regions.count(), lambda shop: shop.regions.add(region(1))])
async def test_two_tasks_at_once_name_both_lines(db, outside, use):
    async with Shop(db) as shop:
        busy = asyncio.create_task(_slow(shop, 0.3))
        await until_running(outside, "pg_sleep")
        with pytest.raises(UnitOfWorkError) as caught:
            await use(shop)
        await busy
    words = str(caught.value)
    assert re.search(
        r"^this Shop is used at .* in .*\(\) while another task is at .* in _slow\(\): a unit of work", words
    )


async def test_the_task_that_came_first_is_not_disturbed(db):
    async with Shop(db) as shop:
        results = await asyncio.gather(*(shop.regions.count() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [int, UnitOfWorkError, UnitOfWorkError]


async def test_one_task_after_the_other_is_no_misuse(db):
    async with Shop(db) as shop:
        await asyncio.create_task(shop.regions.add(region(1)))
        assert await asyncio.create_task(shop.regions.count()) == 1


async def test_a_savepoint_of_another_task_is_not_written_into(db, outside):
    inside = asyncio.Event()

    async def hold(shop):
        async with shop.savepoint():
            inside.set()
            await asyncio.Event().wait()

    async with Shop(db) as shop:
        holding = asyncio.create_task(hold(shop))
        await inside.wait()
        with pytest.raises(UnitOfWorkError, match="while another task is at"):
            await shop.regions.add(region(1))
        holding.cancel()
        await asyncio.wait([holding])
    assert await count(outside, "region") == 0


async def test_an_end_while_another_task_is_at_it_rolls_back_and_names_both_lines(db, outside):
    with pytest.raises(UnitOfWorkError, match=r"^this Shop is left at .* while another task is at .*_slow\(\)"):
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            busy = asyncio.create_task(_slow(shop))
            await until_running(outside, "pg_sleep")
    assert await count(outside, "region") == 0
    await asyncio.wait([busy])
    assert db.pool.leases() == []


async def test_a_failure_beside_another_task_comes_out_and_rolls_back(db, outside):
    async def fail():
        await until_running(outside, "pg_sleep")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            await asyncio.gather(_slow(shop), fail())
    assert (await count(outside, "region"), db.pool.leases()) == (0, [])


async def test_a_failure_beside_another_task_on_the_session_comes_out_and_rolls_back(db, outside):
    async def fail():
        await until_running(outside, "pg_sleep")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            await asyncio.gather(shop.session.execute(text("SELECT pg_sleep(30)")), fail())
    assert (await count(outside, "region"), db.pool.leases()) == (0, [])
