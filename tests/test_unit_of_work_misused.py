"""A unit of work is used once, and between its beginning and its end."""

import pytest

from dal.demo.repositories import Shop
from dal.errors import UnitOfWorkError
from tests.looking import count
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
