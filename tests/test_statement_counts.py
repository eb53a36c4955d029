"""What is promised in statements is kept."""

from sqlalchemy.orm import joinedload, selectinload

from dal.demo.models import Customer, Nation, Order
from dal.demo.repositories import Customers, Nations, Orders, Regions, Shop
from dal.testing import assert_statements
from tests.shop_rows import region


async def test_get_is_one_statement(read_only):
    with assert_statements(1):
        await Orders(read_only).get(1)


async def test_get_of_what_the_unit_of_work_holds_is_none(read_only):
    async with Shop(read_only) as shop:
        held = await shop.orders.get(1)
        with assert_statements(0):
            assert await shop.orders.get(1) is held


async def test_list_is_one_statement(read_only):
    with assert_statements(1):
        await Orders(read_only).list(Order.status == "O")


async def test_count_is_one_statement(read_only):
    with assert_statements(1):
        await Orders(read_only).count()


async def test_each_selectinload_is_one_statement_more(read_only):
    with assert_statements(3):
        await Customers(read_only).list(options=[selectinload(Customer.orders).selectinload(Order.lines)])


async def test_a_joinedload_is_no_statement_more(read_only):
    with assert_statements(1):
        await Nations(read_only).list(options=[joinedload(Nation.region)])


async def test_many_entities_are_added_in_one_statement(db):
    with assert_statements(1):
        await Regions(db).add(*(region(key) for key in range(1, 101)))


async def test_many_entities_are_deleted_in_one_statement(shop_db):
    async with Shop(shop_db) as shop:
        lines = await shop.order_lines.list()
        with assert_statements(1):
            await shop.order_lines.delete(*lines)


async def test_an_unused_unit_of_work_sends_nothing(read_only):
    with assert_statements(0):
        async with Shop(read_only):
            pass
