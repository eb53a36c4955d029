"""A savepoint undoes only its own block."""

import asyncio

import pytest

from dal.demo.repositories import Shop
from dal.errors import UniqueViolation
from tests.looking import states
from tests.shop_rows import region


class Stop(Exception):
    """What an application raises for reasons of its own."""


async def _committed(outside):
    return [row["id"] for row in await outside.fetch("SELECT id FROM region ORDER BY id")]


async def test_a_savepoint_that_ends_well_is_kept(db, outside):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        async with shop.savepoint():
            await shop.regions.add(region(2))
    assert await _committed(outside) == [1, 2]


async def test_a_savepoint_that_raises_undoes_its_block_alone(db, outside):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        with pytest.raises(Stop):
            async with shop.savepoint():
                await shop.regions.add(region(2))
                raise Stop
        await shop.regions.add(region(3))
    assert await _committed(outside) == [1, 3]


async def test_a_refused_statement_in_a_savepoint_leaves_the_rest_usable(db, outside):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        with pytest.raises(UniqueViolation):
            async with shop.savepoint():
                await shop.regions.add(region(1))
        await shop.regions.add(region(2))
    assert await _committed(outside) == [1, 2]


async def test_a_savepoint_in_a_savepoint_undoes_the_inner_block_alone(db, outside):
    async with Shop(db) as shop, shop.savepoint():
        await shop.regions.add(region(1))
        with pytest.raises(Stop):
            async with shop.savepoint():
                await shop.regions.add(region(2))
                raise Stop
    assert await _committed(outside) == [1]


async def test_a_savepoint_as_the_first_act_undoes_its_block(db, outside):
    async with Shop(db) as shop:
        with pytest.raises(Stop):
            async with shop.savepoint():
                await shop.regions.add(region(1))
                raise Stop
    assert await _committed(outside) == []


async def test_a_savepoint_is_not_seen_by_others_before_the_end(db, outside):
    async with Shop(db) as shop:
        async with shop.savepoint():
            await shop.regions.add(region(1))
        assert await _committed(outside) == []


async def test_a_savepoint_is_undone_with_its_unit_of_work(db, outside):
    with pytest.raises(Stop):
        async with Shop(db) as shop:
            async with shop.savepoint():
                await shop.regions.add(region(1))
            raise Stop
    assert await _committed(outside) == []


async def test_cancelled_in_a_savepoint_undoes_the_whole_unit_of_work(db, outside):
    inside = asyncio.Event()

    async def work():
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            async with shop.savepoint():
                await shop.regions.add(region(2))
                inside.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    await asyncio.wait([task])
    assert (await _committed(outside), set(await states(outside))) == ([], {"idle"})
