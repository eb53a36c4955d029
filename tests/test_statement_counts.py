"""What is promised in statements is kept."""

from sqlalchemy.orm import joinedload, selectinload

from dal.demo.models import Customer, Nation, Order
from dal.demo.repositories import Customers, Nations, Orders, Regions, Shop
from tests.counting import statements
from tests.shop_rows import region


async def test_get_is_one_statement(read_only):
    with statements(read_only) as sent:
        await Orders(read_only).get(1)
    assert len(sent) == 1


async def test_get_of_what_the_unit_of_work_holds_is_none(read_only):
    async with Shop(read_only) as shop:
        held = await shop.orders.get(1)
        with statements(read_only) as sent:
            assert await shop.orders.get(1) is held
    assert sent == []


async def test_list_is_one_statement(read_only):
    with statements(read_only) as sent:
        await Orders(read_only).list(Order.status == "O")
    assert len(sent) == 1


async def test_count_is_one_statement(read_only):
    with statements(read_only) as sent:
        await Orders(read_only).count()
    assert len(sent) == 1


async def test_each_selectinload_is_one_statement_more(read_only):
    with statements(read_only) as sent:
        await Customers(read_only).list(options=[selectinload(Customer.orders).selectinload(Order.lines)])
    assert len(sent) == 3


async def test_a_joinedload_is_no_statement_more(read_only):
    with statements(read_only) as sent:
        await Nations(read_only).list(options=[joinedload(Nation.region)])
    assert len(sent) == 1


async def test_many_entities_are_added_in_one_statement(db):
    with statements(db) as sent:
        await Regions(db).add(*(region(key) for key in range(1, 101)))
    assert len(sent) == 1


async def test_many_entities_are_deleted_in_one_statement(shop_db):
    async with Shop(shop_db) as shop:
        lines = await shop.order_lines.list()
        with statements(shop_db) as sent:
            await shop.order_lines.delete(*lines)
    assert len(sent) == 1


async def test_an_unused_unit_of_work_sends_nothing(read_only):
    with statements(read_only) as sent:
        async with Shop(read_only):
            pass
    assert sent == []
