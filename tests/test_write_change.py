"""update_many, delete_many, update_where, delete_where: by key and by condition, never everything by mistake."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import true

from dal.errors import CheckViolation, WriteError
from dal.testing import assert_statements
from tests.looking import count
from tests.write_models import (
    Counteds,
    Dogs,
    Filled,
    Filleds,
    Odd,
    Odds,
    Prices,
    Quoted,
    Quoteds,
    Seat,
    Seats,
    Stricts,
)


@pytest.fixture
async def seats(tables):
    """Lend the repository of seats, of which there are five in one row."""
    await Seats(tables).insert_many({"row": "a", "number": number, "guest": "x"} for number in range(5))
    return Seats(tables)


async def _guests(outside):
    return "".join(row["guest"] or "-" for row in await outside.fetch("SELECT guest FROM place ORDER BY number"))


async def test_update_sets_each_row_by_its_key(seats, way, outside):
    rows = [{"guest": str(number), "row": "a", "number": number} for number in (1, 3, 99)]
    assert await seats.update_many(rows) == 2
    assert await _guests(outside) == "x1x3x"


async def test_of_two_rows_with_one_key_the_last_counts(seats, tables, way, outside):
    await seats.update_many([{"row": "a", "number": 1, "guest": each} for each in "yz"])
    assert await _guests(outside) == "xzxxx"
    await Prices(tables).insert_many([{"amount": Decimal(1), "note": ""}])
    rows = [{"amount": Decimal(amount), "note": amount} for amount in ("1.00", "1.0", "1")]
    assert await Prices(tables).update_many(rows) == 1
    assert await outside.fetchval("SELECT note FROM price") == "1"


async def test_null_is_set_as_any_other_value(seats, way, outside):
    await seats.update_many([{"row": "a", "number": number, "guest": None} for number in range(2)])
    assert await _guests(outside) == "--xxx"


async def test_a_key_that_is_too_long_updates_no_other_row(tables, way, outside):
    await outside.execute("INSERT INTO price VALUES (1, '')")
    assert await Prices(tables).update_many([{"amount": Decimal("1.001"), "note": "x"}]) == 0


async def test_update_needs_the_key_and_something_to_change(tables):
    with pytest.raises(WriteError, match=r"^the rows lack number, the key of what to update"):
        await Seats(tables).update_many([{"row": "a", "guest": "x"}])
    with pytest.raises(WriteError, match=r"^the rows have only the key"):
        await Seats(tables).update_many([{"row": "a", "number": 1}])


async def test_update_applies_onupdate(tables, way):
    filleds = Filleds(tables)
    await filleds.insert_many([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
    await filleds.update_many([{"id": 1, "name": "c"}, {"id": 2, "name": "d"}])
    one, two = await filleds.list(order_by=Filled.id)
    assert one.touched != two.touched != "new"
    assert one.changed is not None
    assert one.computed == "c?"


async def test_update_counts_the_version(tables, way, outside):
    await Counteds(tables).insert_many([{"id": 1, "value": 1}])
    await Counteds(tables).update_many([{"id": 1, "value": 2}])
    assert [tuple(each) for each in await outside.fetch("SELECT value, version FROM counted")] == [(2, 2)]


async def test_names_that_need_quotes_are_quoted(tables, way, outside):
    await Quoteds(tables).insert_many([{"key": 1, "chosen": "x"}])
    assert await Quoteds(tables).update_many([{"key": 1, "chosen": "y", "percent": 2}]) == 1
    assert tuple(await outside.fetchrow('SELECT * FROM "Other Place"."order by"')) == (1, "y", 2)
    assert await Quoteds(tables).update_where({"percent": 3}, Quoted.chosen == "y") == 1
    assert await Quoteds(tables).delete_many([1]) == 1


async def test_one_bad_row_leaves_all_as_they_were(seats, way, outside):
    await outside.execute("ALTER TABLE place ADD CHECK (guest <> 'bad')")
    with pytest.raises(CheckViolation):
        await seats.update_many([{"row": "a", "number": n, "guest": g} for n, g in enumerate(["y", "bad"])])
    assert await _guests(outside) == "xxxxx"


async def test_delete_takes_identities_as_get_does(seats, outside):
    assert await seats.delete_many([("a", 1), {"number": 2, "row": "a"}, ("a", 99), ("a", 1)]) == 2
    assert await count(outside, "place") == 3


async def test_delete_of_many_is_one_statement(tables, outside):
    await Odds(tables).insert_many({"id": number} for number in range(5000))
    with assert_statements(1):
        assert await Odds(tables).delete_many(range(4999)) == 4999
    assert await count(outside, "odd") == 1


async def test_an_identity_with_other_parts_is_refused(tables):
    for wrong in (1, ("a",), ("a", 1, 2), {"row": "a"}):
        with pytest.raises(WriteError, match=r"^identity 2 has not the 2 parts of the key: row, number"):
            await Seats(tables).delete_many([("a", 1), wrong])


async def test_a_subclass_reaches_its_own_rows_only(tables, outside):
    await outside.execute("INSERT INTO animal VALUES (1, 'animal', 'x'), (2, 'dog', 'y')")
    assert await Dogs(tables).update_many([{"id": 1, "name": "z"}, {"id": 2, "name": "z"}]) == 1
    assert await Dogs(tables).delete_many([1, 2]) == 1
    assert await outside.fetchval("SELECT array_agg(name) FROM animal") == ["x"]


async def test_nothing_given_sends_nothing(tables):
    with assert_statements(0):
        assert await Seats(tables).update_many([]) == 0
        assert await Seats(tables).delete_many([]) == 0
        assert await Seats(tables).update_where({}, true()) == 0


async def test_values_are_set_where_a_condition_holds(seats, outside):
    assert await seats.update_where({"guest": Seat.guest + "!"}, Seat.number < 2, Seat.row == "a") == 2
    assert await _guests(outside) == "x!x!xxx"


async def test_rows_are_deleted_where_a_condition_holds(seats, outside):
    assert await seats.delete_where(Seat.number < 2) == 2
    assert await seats.delete_where(true()) == 3


async def test_everything_must_be_asked_for(seats, outside):
    with pytest.raises(WriteError, match=r"^update_where\(\) without a condition would reach every row.*true\(\)"):
        await seats.update_where({"guest": "y"})
    with pytest.raises(WriteError, match=r"^delete_where\(\) without a condition would reach every row.*true\(\)"):
        await seats.delete_where()
    assert await count(outside, "place") == 5


async def test_an_attribute_that_is_none_is_refused(seats):
    with pytest.raises(WriteError, match=r"did you mean 'guest'"):
        await seats.update_where({"gest": "y"}, true())


async def test_update_where_applies_the_types(tables, outside):
    await Odds(tables).insert_many([{"id": 1}])
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    await Odds(tables).update_where({"lower": "LOUD", "document": {"a": 1}, "moment": moment}, Odd.id == 1)
    assert (await Odds(tables).get_one(1)).lower == "loud"


async def test_rows_of_a_class_without_anything_to_change_are_refused(tables):
    with pytest.raises(WriteError, match=r"only the key"):
        await Stricts(tables).update_many([{"id": 1}])
