"""What is promised in round trips is kept, counted on the network, with every statement prepared."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import URL, event

from dal import Database, PoolConfig
from dal.demo.models import Nation, Order, Region
from dal.demo.repositories import Nations, Orders, Regions, Shop
from dal.testing import Kit, Network
from tests.shop_rows import region


@pytest.fixture
async def counted(pg_kit: Kit, read_only_url: URL) -> AsyncGenerator[tuple[Network, Database]]:
    """Lend a network that counts round trips, and a database of one connection behind it."""
    with pg_kit.network(read_only_url) as network:
        async with Database(network.url, pool=PoolConfig(size=1)) as db:
            yield network, db


async def _warm_round_trips(network, work):
    """Count the round trips of *work* when its statements are prepared."""
    for _ in range(2):
        before = network.round_trips
        await work()
    return network.round_trips - before


async def test_get_is_one_round_trip(counted):
    network, db = counted
    assert await _warm_round_trips(network, lambda: Orders(db).get(1)) == 1


async def test_list_is_one_round_trip(counted):
    network, db = counted
    assert await _warm_round_trips(network, lambda: Orders(db).list(Order.id > 0)) == 1


async def test_count_is_one_round_trip(counted):
    network, db = counted
    assert await _warm_round_trips(network, lambda: Orders(db).count()) == 1


async def test_a_script_is_one_round_trip(counted):
    network, db = counted
    assert await _warm_round_trips(network, lambda: db.execute_script("SELECT 1; SELECT 2; SELECT 3")) == 1


async def test_a_unit_of_work_that_reads_and_writes_is_four_round_trips(counted):
    network, db = counted

    async def change():
        async with Shop(db) as shop:
            found = await shop.orders.get_one(1)
            found.ship_priority += 1

    assert await _warm_round_trips(network, change) == 4


async def test_what_a_unit_of_work_says_is_begin_select_update_commit(counted):
    network, db = counted
    tenant = {"app.tenant": "42"}

    async def change():
        async with Shop(db, isolation="serializable", timeout_s=5, settings=tenant, verify_commit=True) as shop:
            (await shop.orders.get_one(1)).ship_priority += 1

    await change()
    with network.listening() as heard:
        await change()
    begin, *rest = heard
    assert rest == [["B", "E", "S"], ["B", "E", "S"], ["Q COMMIT;"]]
    [words] = begin
    assert words.startswith('Q BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = 4900; SET LOCAL "app"')


@pytest.mark.parametrize("work", [lambda db: Orders(db).get(1), lambda db: Orders(db).count()])
async def test_what_a_read_outside_says_is_its_statement(counted, work):
    network, db = counted
    await work(db)
    with network.listening() as heard:
        await work(db)
    assert heard == [["B", "E", "S"]]


async def test_an_unused_unit_of_work_is_no_round_trip(counted):
    network, db = counted

    async def nothing():
        async with Shop(db):
            pass

    assert await _warm_round_trips(network, nothing) == 0


async def test_a_savepoint_is_two_round_trips_more(counted):
    network, db = counted

    async def plain():
        async with Shop(db) as shop:
            await shop.orders.count()

    async def in_a_savepoint():
        async with Shop(db) as shop, shop.savepoint():
            await shop.orders.count()

    assert await _warm_round_trips(network, in_a_savepoint) == await _warm_round_trips(network, plain) + 2


@pytest.fixture
async def writable(faulty_network, database_url):
    """Lend a network that counts, and a database of the test's own behind it."""
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        yield faulty_network, db


async def test_a_single_write_outside_is_one_round_trip(writable):
    network, db = writable
    keys = iter(range(1, 10))
    assert await _warm_round_trips(network, lambda: Regions(db).add(region(next(keys)))) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda regions, key: regions.insert_many([{"id": key, "name": "", "comment": ""}]),
        lambda regions, key: regions.upsert_many([{"id": 1, "name": "", "comment": ""}]),
        lambda regions, key: regions.update_where({"name": ""}, Region.id == key),
        lambda regions, key: regions.delete_where(Region.id == key),
    ],
)
async def test_a_single_statement_that_writes_outside_is_one_round_trip(writable, write):
    network, db = writable
    keys = iter(range(1, 10))
    assert await _warm_round_trips(network, lambda: write(Regions(db), next(keys))) == 1


async def test_an_entity_with_children_outside_is_a_transaction(writable):
    network, db = writable
    keys = iter(range(1, 10))

    def with_region():
        key = next(keys)
        return Nation(id=key, name="", comment="", region=region(key))

    assert await _warm_round_trips(network, lambda: Nations(db).add(with_region())) == 4


async def test_an_entity_that_somebody_listens_for_is_a_transaction(writable):
    network, db = writable
    keys = iter(range(1, 10))

    def also(_mapper, connection, _entity):
        connection.exec_driver_sql("SELECT 1")

    event.listen(Region, "before_insert", also)
    try:
        assert await _warm_round_trips(network, lambda: Regions(db).add(region(next(keys)))) == 4
    finally:
        event.remove(Region, "before_insert", also)
