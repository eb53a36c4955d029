"""A unit of work is one transaction: all of it is there at its end, or nothing."""

import asyncio

import pytest
from sqlalchemy import text

from dal import Repository, UnitOfWork
from dal.demo.models import Order, Region
from dal.demo.repositories import Orders, Regions, Shop
from dal.errors import InFailedSQLTransaction, UniqueViolation
from tests.looking import count, states
from tests.shop_rows import region


class Stop(Exception):
    """What an application raises for reasons of its own."""


class Exit(BaseException):
    """What is no Exception, like SystemExit."""


async def _held_by_nobody(db, outside):
    return db.pool.leases() == [] and set(await states(outside)) == {"idle"}


async def _add_and_raise(db, error):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        raise error


async def test_a_clean_exit_commits(db, outside):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
    assert await count(outside, "region") == 1


async def test_nothing_is_seen_by_others_before_the_end(db, outside):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        assert await count(outside, "region") == 0


async def test_a_unit_of_work_sees_its_own_writes(db):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
        assert await shop.regions.count() == 1


async def test_a_clean_exit_holds_no_connection(db, outside):
    async with Shop(db) as shop:
        await shop.regions.add(region(1))
    assert await _held_by_nobody(db, outside)


@pytest.mark.parametrize("error", [Stop, Exit, KeyboardInterrupt, asyncio.CancelledError])
async def test_an_exception_leaves_no_rows(db, outside, error):
    with pytest.raises(error):
        await _add_and_raise(db, error)
    assert await count(outside, "region") == 0


@pytest.mark.parametrize("error", [Stop, Exit])
async def test_an_exception_holds_no_connection(db, outside, error):
    with pytest.raises(error):
        await _add_and_raise(db, error)
    assert await _held_by_nobody(db, outside)


async def test_the_exception_itself_comes_out(db):
    stop = Stop("why")
    with pytest.raises(Stop) as caught:
        await _add_and_raise(db, stop)
    assert caught.value is stop


async def test_a_commit_that_fails_raises_and_leaves_no_rows(db, outside):
    await outside.execute(
        "ALTER TABLE nation ALTER CONSTRAINT fk_nation_region_id_region DEFERRABLE INITIALLY DEFERRED"
    )
    with pytest.raises(Exception, match="fk_nation_region_id_region"):
        async with Shop(db) as shop:
            await shop.session.execute(text("INSERT INTO nation VALUES (1, '', 404, '')"))
    assert await count(outside, "nation") == 0


async def test_a_failed_statement_that_is_caught_ends_in_a_rollback_that_says_so(db, outside):
    with pytest.raises(InFailedSQLTransaction, match=r"^nothing was committed: a statement had failed"):
        async with Shop(db) as shop:
            await shop.session.execute(text("INSERT INTO region VALUES (1, '', '')"))
            with pytest.raises(UniqueViolation):
                await shop.session.execute(text("INSERT INTO region VALUES (1, '', '')"))
    assert await count(outside, "region") == 0


async def test_a_failed_flush_that_is_caught_ends_in_a_rollback_that_says_so(db, outside):
    with pytest.raises(InFailedSQLTransaction, match=r"^nothing was committed: a flush had failed"):
        async with Shop(db) as shop:
            await shop.regions.add(region(1))
            with pytest.raises(UniqueViolation):
                await shop.regions.add(region(1))
    assert await count(outside, "region") == 0


async def test_annotated_repositories_take_part(db):
    async with Shop(db) as shop:
        assert (type(shop.regions), type(shop.orders)) == (Regions, Orders)


async def test_annotations_of_a_parent_are_taken_over(db):
    class Sales(Repository[Order]):
        """Orders again."""

    class BiggerShop(Shop):
        """A shop with one repository more."""

        sales: Sales

    async with BiggerShop(db) as shop:
        assert (type(shop.regions), type(shop.sales)) == (Regions, Sales)


async def test_a_unit_of_work_without_repositories_has_its_session(db, outside):
    async with UnitOfWork(db) as work:
        work.session.add(Region(id=1, name="", comment=""))
    assert await count(outside, "region") == 1


async def test_two_units_of_work_at_once_do_not_see_each_other(db):
    async with Shop(db) as one, Shop(db, independent=True) as two:
        await one.regions.add(region(1))
        assert await two.regions.count() == 0
