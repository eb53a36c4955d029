"""The reads of a repository, bound to a database and to a unit of work alike."""

from collections.abc import AsyncGenerator

import pytest

from dal import Database
from dal.demo.models import Order
from dal.demo.repositories import Customers, Orders, Shop
from dal.errors import DALError, NotFound


@pytest.fixture(params=["database", "unit of work"])
async def orders(request: pytest.FixtureRequest, read_only: Database) -> AsyncGenerator[Orders]:
    """Lend the repository of orders 1 and 2."""
    if request.param == "database":
        yield Orders(read_only)
    else:
        async with Shop(read_only) as shop:
            yield shop.orders


async def test_get_reads_by_primary_key(orders):
    assert (await orders.get(2)).customer_id == 2


async def test_get_of_a_missing_key_is_none(orders):
    assert await orders.get(404) is None


async def test_get_one_reads_by_primary_key(orders):
    assert (await orders.get_one(1)).id == 1


async def test_get_one_of_a_missing_key_names_entity_and_key(orders):
    with pytest.raises(NotFound, match=r"^no Order has the id asked for\.$"):
        await orders.get_one(404)


async def test_list_without_conditions_reads_all(orders):
    assert {found.id for found in await orders.list()} == {1, 2}


async def test_list_reads_what_satisfies_every_condition(orders):
    found = await orders.list(Order.status == "O", Order.id > 1)
    assert [each.id for each in found] == [2]


async def test_list_of_nothing_is_empty(orders):
    assert list(await orders.list(Order.status == "X")) == []


async def test_list_orders_by_one_expression(orders):
    assert [each.id for each in await orders.list(order_by=Order.id.desc())] == [2, 1]


async def test_list_orders_by_several_expressions(orders):
    assert [each.id for each in await orders.list(order_by=[Order.status, Order.id.desc()])] == [2, 1]


async def test_list_stops_at_the_limit(orders):
    assert [each.id for each in await orders.list(order_by=Order.id, limit=1)] == [1]


async def test_count_counts_what_satisfies_every_condition(orders):
    assert (await orders.count(), await orders.count(Order.id > 1), await orders.count(Order.id > 2)) == (2, 1, 0)


async def test_a_detached_entity_has_all_its_columns(read_only):
    found = await Orders(read_only).get_one(1)
    assert [getattr(found, column.key) for column in Order.__table__.columns][:3] == [1, 1, "O"]


async def test_methods_of_ones_own_read_with_the_others(read_only):
    class OpenOrders(Orders):
        """More methods for orders."""

        async def open(self):
            """Read those that are open."""
            return await self.list(Order.status == "O", order_by=Order.id)

    assert [each.id for each in await OpenOrders(read_only).open()] == [1, 2]


async def test_not_found_shows_no_value(read_only):
    with pytest.raises(DALError) as caught:
        await Customers(read_only).get_one(73577357)
    assert "73577357" not in f"{caught.value} {caught.value!r}"
