"""What a repository's reads give with `into=`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
import pytest
from sqlalchemy import func, select

from dal import Database
from dal.demo.models import Customer, Nation, Order, OrderLine, Part, Region
from dal.demo.repositories import Customers, Orders, Shop
from dal.errors import NotFound, ProjectionError, UnitOfWorkError
from dal.projection import Expr, From, Load
from dal.telemetry import StatementLog


class CustomerCard(msgspec.Struct):
    id: int
    name: str


@dataclass(frozen=True)
class LineCard:
    line_number: int
    quantity: Decimal
    part: Annotated[str, From(OrderLine.part, Part.name)]


@dataclass
class OrderCard:
    id: int
    status: str
    placed_on: date
    customer: CustomerCard
    region: Annotated[str, From(Order.customer, Customer.nation, Nation.region, Region.name)]
    lines: list[LineCard]


@dataclass
class TopLines:
    id: int
    lines: Annotated[list[LineCard], Load(order_by=OrderLine.line_number.desc(), limit=1)]


@dataclass
class OrdersOfCustomer:
    name: Annotated[str, From(Order.customer, Customer.name)]
    orders: Annotated[int, Expr(func.count())]
    last: Annotated[date, Expr(func.max(Order.placed_on))]


@dataclass
class Twofold:
    id: int
    lines: list[LineCard]
    first: Annotated[list[LineCard], From(Order.lines), Load(limit=1)]


async def test_a_graph_comes_as_its_type_says(read_only: Database) -> None:
    card = await Orders(read_only).get_one(2, into=OrderCard)
    assert card == OrderCard(
        id=2,
        status="O",
        placed_on=card.placed_on,
        customer=CustomerCard(2, "customer 2"),
        region="region 1",
        lines=[LineCard(1, card.lines[0].quantity, "part 1"), LineCard(2, card.lines[1].quantity, "part 2")],
    )


async def test_many_to_ones_ride_in_the_statement_and_each_collection_is_one_more(read_only: Database) -> None:
    with StatementLog() as log:
        cards = await Orders(read_only).list(into=OrderCard, order_by=Order.id)
    assert [card.id for card in cards] == [1, 2]
    assert len(log) == 2


async def test_a_type_reads_nothing_but_its_fields(read_only: Database) -> None:
    with StatementLog() as log:
        assert await Customers(read_only).get(1, into=CustomerCard) == CustomerCard(1, "customer 1")
    assert "balance" not in str(log)


async def test_a_limit_is_for_each_parent(read_only: Database) -> None:
    cards = await Orders(read_only).list(into=TopLines, order_by=Order.id)
    assert [[line.line_number for line in card.lines] for card in cards] == [[2], [2]]


async def test_an_attribute_is_read_by_itself(read_only: Database) -> None:
    orders = Orders(read_only)
    assert await orders.get(2, into=Order.status) == "O"
    assert await orders.list(into=Order.id, order_by=Order.id.desc()) == [2, 1]
    assert await orders.list(into=func.count(Order.id)) == [2]


async def test_what_stands_beside_an_aggregate_is_grouped_by(shop_db: Database) -> None:
    async with Shop(shop_db) as shop:
        found = await shop.orders.get_one(1)
        found.customer_id = 2
    rows = await Orders(shop_db).list(into=OrdersOfCustomer)
    assert [(row.name, row.orders) for row in rows] == [("customer 2", 2)]


async def test_get_many_keeps_the_order_of_the_keys_and_says_who_is_missing(read_only: Database) -> None:
    found = await Customers(read_only).get_many([2, 99, 1, 2], into=CustomerCard)
    assert found == [CustomerCard(2, "customer 2"), None, CustomerCard(1, "customer 1"), CustomerCard(2, "customer 2")]


async def test_a_hundred_thousand_keys_go_in_chunks(read_only: Database) -> None:
    with StatementLog() as log:
        found = await Customers(read_only).get_many(range(1, 100_001), into=Customer.name)
    assert [name for name in found if name] == ["customer 1", "customer 2"]
    assert len(found) == 100_000
    assert len(log) == 10


async def test_composite_keys_are_tuples_or_by_attribute(read_only: Database) -> None:
    lines = Shop(read_only)
    async with lines as shop:
        assert await shop.order_lines.get((1, 2), into=OrderLine.line_number) == 2
        assert await shop.order_lines.get({"order_id": 1, "line_number": 1}, into=OrderLine.line_number) == 1
        assert await shop.order_lines.get_many([(1, 2), (9, 9)], into=OrderLine.line_number) == [2, None]


async def test_exists_reads_no_row(read_only: Database) -> None:
    orders = Orders(read_only)
    assert (await orders.exists(1), await orders.exists(99)) == (True, False)


async def test_nobody_there_is_none_or_not_found(read_only: Database) -> None:
    assert await Orders(read_only).get(99, into=OrderCard) is None
    with pytest.raises(NotFound, match="no Order has the id"):
        await Orders(read_only).get_one(99, into=OrderCard)


@pytest.mark.parametrize("key", ["1", (1, 2), {"name": 1}, {}, (), 1.5, None])
async def test_a_key_that_can_be_none_is_refused_before_anything_is_sent(read_only: Database, key: object) -> None:
    with StatementLog() as log, pytest.raises(ProjectionError, match=r"primary key of Order is id \(int\)"):
        await Orders(read_only).get(key, into=OrderCard)
    assert not len(log)


async def test_a_unit_of_work_reads_its_own_pending_changes(shop_db: Database) -> None:
    async with Shop(shop_db) as shop:
        order = await shop.orders.get_one(1)
        order.status = "X"
        assert await shop.orders.get(1, into=Order.status) == "X"
        assert (await Orders(shop_db).get(1, into=Order.status)) == "O"


async def test_a_read_that_comes_first_is_in_the_transaction(shop_db: Database) -> None:
    async with Shop(shop_db, isolation="repeatable read") as shop:
        assert await shop.orders.get(1, into=Order.status) == "O"
        await Orders(shop_db).update_where({"status": "X"}, Order.id == 1)
        assert await shop.orders.get(1, into=Order.status) == "O"


async def test_a_locked_row_comes_into_a_type_too(shop_db: Database) -> None:
    async with Shop(shop_db) as shop:
        assert await shop.orders.get(1, into=CustomerOfOrder, lock="update") == CustomerOfOrder(1, "customer 1")
        async with Shop(shop_db, independent=True) as other:
            assert [row.id for row in await other.orders.claim(5, into=CustomerOfOrder)] == [2]


@dataclass
class CustomerOfOrder:
    id: int
    customer: Annotated[str, From(Order.customer, Customer.name)]


async def test_collections_at_the_same_time_give_the_same(read_only: Database) -> None:
    orders = Orders(read_only)
    one_by_one = await orders.list(into=Twofold, order_by=Order.id)
    assert await orders.list(into=Twofold, order_by=Order.id, concurrent=True) == one_by_one
    assert [len(each.lines) - len(each.first) for each in one_by_one] == [1, 1]
    assert read_only.pool.status().checked_out == 0


async def test_a_unit_of_work_has_one_connection_for_all_collections(read_only: Database) -> None:
    async with Shop(read_only) as shop:
        with pytest.raises(UnitOfWorkError, match="concurrent="):
            await shop.orders.list(into=Twofold, concurrent=True)


async def test_options_are_for_entities(read_only: Database) -> None:
    with pytest.raises(TypeError, match="options= are for entities"):
        await Orders(read_only).list(into=OrderCard, options=[object()])  # type: ignore[call-overload]


async def test_conditions_of_the_same_shape_share_one_statement(read_only: Database) -> None:
    orders = Orders(read_only)
    for key in range(1, 6):
        assert await orders.list(Order.id == key, Order.status.in_(["O", "X"]), into=Order.id, limit=key) == [
            found for found in (1, 2) if found == key
        ]
    for several in ([1], [1, 2], [1, 2, 3]):
        assert sorted(await orders.list(Order.id.in_(several), into=Order.id)) == [key for key in several if key < 3]


async def test_conditions_of_other_tables_join_as_they_say(read_only: Database) -> None:
    cards = await Orders(read_only).list(
        Order.customer.has(Customer.name == "customer 2"),
        Order.id.in_(select(OrderLine.order_id).where(OrderLine.line_number == 1)),
        into=OrderCard,
    )
    assert [card.id for card in cards] == [2]


async def test_a_page_comes_into_a_type_and_goes_on_from_its_bookmark(read_only: Database) -> None:
    orders = Orders(read_only)
    page = await orders.page(limit=1, order_by=Order.placed_on.desc(), into=OrderCard, count="exact")
    assert ([card.id for card in page.items], page.has_next, str(page.count)) == ([2], True, "2")
    following = await orders.page(limit=1, order_by=Order.placed_on.desc(), into=OrderCard, after=page.next)
    assert ([card.id for card in following.items], following.has_next) == ([1], False)
    assert [line.line_number for line in following.items[0].lines] == [1, 2]
    back = await orders.page(limit=1, order_by=Order.placed_on.desc(), into=OrderCard, before=following.previous)
    assert back.items == page.items


async def test_a_page_into_a_type_is_a_statement_for_each_level(read_only: Database) -> None:
    with StatementLog() as log:
        await Orders(read_only).page(limit=5, into=OrderCard)
    assert len(log) == 2
