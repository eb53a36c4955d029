"""What the kit's assertions demand, and what they say when it does not hold."""

import asyncio

import pytest
from sqlalchemy import select, text

from dal.demo.models import Order, Region
from dal.demo.repositories import Regions
from dal.testing import assert_plan_has_no, assert_statements, assert_uses_index
from tests.shop_rows import region


async def test_the_exact_number_of_statements_passes(read_only):
    with assert_statements(2):
        await Regions(read_only).count()
        await Regions(read_only).count()


@pytest.mark.parametrize(("demanded", "said"), [({"exactly": 0}, "0"), ({"max": 0}, "at most 0")])
async def test_too_many_statements_are_listed_with_their_lines(read_only, demanded, said):
    match = (
        rf"(?s)^1 statements were sent, not {said}:\n.*1 rows test_assertions\.py:\d+ in test_too_many\w+\(\): SELECT"
    )
    with pytest.raises(AssertionError, match=match), assert_statements(**demanded):
        await Regions(read_only).count()


async def test_fewer_than_the_most_pass(read_only):
    with assert_statements(max=2):
        await Regions(read_only).count()


async def test_statements_of_all_tasks_count(read_only):
    with assert_statements(2):
        await asyncio.gather(*(Regions(read_only).count() for _ in range(2)))


async def test_what_the_block_raises_comes_before_its_number(read_only):
    with pytest.raises(ZeroDivisionError), assert_statements(5):
        await Regions(read_only).count()
        raise ZeroDivisionError


@pytest.mark.parametrize("numbers", [{}, {"exactly": 1, "max": 2}])
def test_one_number_must_be_demanded(numbers):
    with pytest.raises(TypeError, match="takes one number"), assert_statements(**numbers):
        pass


async def test_an_index_that_serves_passes(read_only):
    await assert_uses_index(read_only, select(Order).where(Order.customer_id == 1), "ix_orders_customer_id")
    await assert_uses_index(read_only, "SELECT * FROM region WHERE id = 1", "pk_region")


async def test_an_index_that_cannot_serve_shows_the_plan(read_only):
    with pytest.raises(
        AssertionError, match=r"(?s)^'pk_region' is not used, but no index:\nSeq Scan on region  \(rows"
    ):
        await assert_uses_index(read_only, select(Region).where(Region.comment == "a:b"), "pk_region")


async def test_the_look_for_an_index_leaves_the_connection_as_it_was(db):
    async with db.engine.connect() as connection:
        await assert_uses_index(connection, "SELECT * FROM region WHERE id = 1", "pk_region")
        assert await connection.scalar(text("SHOW enable_seqscan")) == "on"


async def test_explaining_executes_nothing(db):
    await assert_plan_has_no(db, "INSERT INTO region VALUES (1, 'a', 'b')", "Sort")
    assert await Regions(db).count() == 0


async def test_a_node_of_the_plan_is_named_with_its_table(db):
    await Regions(db).add(region(1))
    await assert_plan_has_no(db, select(Region), "Seq Scan", on="nation")
    with pytest.raises(AssertionError, match=r"^the plan has a Seq Scan on 'region':\nSeq Scan on region"):
        await assert_plan_has_no(db, select(Region), "Seq Scan", on="region")
    with pytest.raises(AssertionError, match=r"(?s)^the plan has a Sort:\nSort .*\n  Seq Scan on region"):
        await assert_plan_has_no(db, select(Region).order_by(Region.comment), "Sort")
