"""A small set outside a unit of work is one round trip, counted on the network, with every statement prepared."""

import pytest

from dal import Database, PoolConfig
from tests.write_models import Filled, Filleds, Seat, Seats, create


@pytest.fixture
async def counted(pg_kit, empty_database_url):
    with pg_kit.network(empty_database_url) as network:
        async with Database(network.url, pool=PoolConfig(size=1)) as db:
            await create(db)
            yield network, db


def _rows(size, guest="x"):
    return [{"row": "a", "number": number, "guest": guest} for number in range(size)]


WRITES = {
    "insert": lambda db, size: Filleds(db).insert_many([{"name": "a", "number": 1}] * size),
    "insert returning": lambda db, size: Filleds(db).insert_many([{"name": "a"}] * size, returning=[Filled.id]),
    "upsert": lambda db, size: Seats(db).upsert_many(_rows(size)),
    "upsert returning": lambda db, size: Seats(db).upsert_many(_rows(size), returning=[Seat.guest]),
    "update": lambda db, size: Seats(db).update_many(_rows(size)),
    "delete": lambda db, size: Seats(db).delete_many([("a", number) for number in range(size)]),
    "update where": lambda db, size: Seats(db).update_where({"guest": str(size)}, Seat.number < size),
    "delete where": lambda db, size: Seats(db).delete_where(Seat.number < size),
}


@pytest.mark.parametrize("write", WRITES)
async def test_a_small_write_of_any_size_is_one_round_trip_and_one_prepared_statement(counted, write):
    network, db = counted
    await WRITES[write](db, 3)
    await WRITES[write](db, 3)  # which takes what the first one had to ask for
    for size in (1, 100, 7):
        before = network.round_trips
        await WRITES[write](db, size)
        assert network.round_trips - before == 1


async def test_a_large_write_leaves_prepared_statements_prepared(counted, monkeypatch):
    network, db = counted
    await Seats(db).upsert_many(_rows(2))
    monkeypatch.setattr("dal.write.offering.INLINE_VALUES", 0)
    await Seats(db).upsert_many(_rows(3))
    monkeypatch.undo()
    before = network.round_trips
    await Seats(db).upsert_many(_rows(2))
    assert network.round_trips - before == 1
