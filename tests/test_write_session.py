"""What a session holds is flushed before a write in sets, and as fresh as the table after it."""

import pytest
from sqlalchemy import func
from sqlalchemy.orm import selectinload

from dal.errors import UniqueViolation
from dal.testing import assert_statements
from tests.looking import count
from tests.write_models import Colour, Filled, Filleds, Room, Seat, Seats, Writes


@pytest.fixture
async def held(tables):
    """Lend a unit of work that holds one of two seats."""
    await Seats(tables).insert_many([{"row": "a", "number": number, "guest": "x"} for number in range(2)])
    async with Writes(tables) as writes:
        yield writes, await writes.seats.get_one(("a", 0))


WRITES = {
    "upsert": lambda seats: seats.upsert_many([{"row": "a", "number": 0, "guest": "y"}]),
    "update": lambda seats: seats.update_many([{"row": "a", "number": 0, "guest": "y"}]),
    "update where": lambda seats: seats.update_where({"guest": "y"}, Seat.number == 0),
    "update where, computed": lambda seats: seats.update_where({"guest": func.lower("Y")}, Seat.number == 0),
}


@pytest.mark.parametrize("write", WRITES)
async def test_an_entity_held_has_what_was_written(held, way, write):
    writes, seat = held
    await WRITES[write](writes.seats)
    assert seat.guest == "y"
    assert not writes.session.dirty


async def test_what_a_unit_of_work_wrote_is_gone_with_it(tables, way, outside):
    with pytest.raises(RuntimeError):
        async with Writes(tables) as writes:
            await writes.seats.insert_many([{"row": "a", "number": 1}])
            await writes.seats.upsert_many([{"row": "a", "number": 2}])
            raise RuntimeError
    assert await count(outside, "place") == 0


async def test_what_the_server_computes_is_read_too(tables, way):
    await Filleds(tables).insert_many([{"id": 1, "name": "a"}])
    async with Writes(tables) as writes:
        it = await writes.filleds.get_one(1)
        await writes.filleds.update_many([{"id": 1, "name": "b"}])
        assert (it.name, it.computed) == ("b", "b?")
        assert it.changed is not None


async def test_a_label_finds_the_entity_of_its_member(tables, way):
    async with Writes(tables) as writes:
        await writes.tints.insert_many([{"colour": Colour.its, "note": "x"}, {"colour": "red", "note": "x"}])
        held = await writes.tints.get_one(Colour.its)
        await writes.tints.upsert_many([{"colour": "it's", "note": "y"}])
        assert held.note == "y"
        await writes.tints.update_many([{"colour": "it's", "note": "z"}])
        assert held.note == "z"


async def test_pending_changes_go_first(held, way):
    writes, seat = held
    seat.guest = "mine"
    await writes.seats.add(Seat(row="a", number=7, guest="new"))
    assert await writes.seats.update_where({"guest": Seat.guest + "!"}, Seat.number != 1) == 2
    assert (await writes.seats.get_one(("a", 7))).guest == "new!"


async def test_what_is_pending_is_seen_by_an_upsert(held, way):
    writes, _ = held
    writes.session.add(Seat(row="a", number=7, guest="new"))
    assert (await writes.seats.upsert_many([{"row": "a", "number": 7, "guest": "y"}])).updated == 1


@pytest.mark.parametrize("way_to_delete", ["many", "where"])
async def test_a_deleted_entity_leaves_the_session(held, way_to_delete):
    writes, seat = held
    if way_to_delete == "many":
        await writes.seats.delete_many([("a", 0)])
    else:
        await writes.seats.delete_where(Seat.number == 0)
    assert seat not in writes.session
    assert await writes.seats.get(("a", 0)) is None


async def test_an_entity_moved_to_another_parent_loses_the_old_one(tables, way, outside):
    await outside.execute("INSERT INTO house VALUES (1), (2); INSERT INTO room VALUES (1, 1)")
    async with Writes(tables) as writes:
        room = (await writes.rooms.list(options=[selectinload(Room.house)]))[0]
        await writes.rooms.update_many([{"id": 1, "house_id": 2}])
        assert room.house_id == 2
        again = await writes.rooms.list(options=[selectinload(Room.house)])
        assert again[0] is room
        assert room.house.id == 2


async def test_an_entity_that_stays_keeps_what_was_loaded(tables, way, outside):
    await outside.execute("INSERT INTO house VALUES (1), (2); INSERT INTO room VALUES (1, 1)")
    async with Writes(tables) as writes:
        [room] = await writes.rooms.list(options=[selectinload(Room.house)])
        await writes.rooms.upsert_many([{"id": 1, "house_id": 1}])
        assert room.house.id == 1


async def test_what_is_held_costs_one_statement_and_what_is_not_none(held):
    writes, _ = held
    with assert_statements(2):
        await writes.seats.update_many([{"row": "a", "number": 0, "guest": "y"}])
    with assert_statements(1):
        await writes.seats.update_many([{"row": "a", "number": 1, "guest": "y"}])


async def test_a_failure_in_a_savepoint_leaves_the_rest(held, way, outside):
    writes, _ = held
    with pytest.raises(UniqueViolation):
        async with writes.savepoint():
            await writes.seats.insert_many([{"row": "a", "number": 8}, {"row": "a", "number": 0}])
    assert await writes.seats.insert_many([{"row": "a", "number": 9}]) == 1
    assert await writes.seats.count() == 3


async def test_several_large_writes_share_a_transaction(tables, monkeypatch):
    monkeypatch.setattr("dal.write.offering.INLINE_VALUES", 0)
    async with Writes(tables) as writes:
        await writes.filleds.insert_many([{"name": "a"}], returning=[Filled.id])
        await writes.seats.upsert_many([{"row": "a", "number": 1}])
        await writes.seats.upsert_many([{"row": "a", "number": 1, "guest": "x"}])
    assert await Seats(tables).count(Seat.guest == "x") == 1
