"""Rows of every kind are taken apart by attribute, and those that do not fit are named by number; no server needed."""

from collections import UserDict
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from sqlalchemy import func

from dal.errors import WriteError
from dal.write.rows import rows_of
from dal.write.target import target_of
from tests.write_models import Animal, Cat, Cats, Dog, Quoted, Seat

SEATS = target_of(Seat)


@dataclass
class Ticket:
    row: str
    number: int
    guest: str | None = None


class Struct:
    """What msgspec's look like from outside."""

    __struct_fields__ = ("row", "number", "guest")

    def __init__(self, row, number, guest=None):
        self.row, self.number, self.guest = row, number, guest


@pytest.mark.parametrize("kind", [dict, UserDict, Ticket, Struct, Seat], ids=lambda kind: kind.__name__)
def test_rows_of_every_kind_are_the_same(kind):
    rows = rows_of([kind(row="a", number=1, guest=None), kind(row="b", number=2, guest="x")], SEATS)
    assert rows.count == 2
    assert {column.key: values for column, values in rows.values.items()} == {
        "row": ["a", "b"],
        "number": [1, 2],
        "guest": [None, "x"],
    }


def test_rows_may_be_a_generator():
    assert rows_of(({"row": "a", "number": number} for number in range(3)), SEATS).count == 3


def test_no_rows_are_none():
    assert rows_of(iter(()), SEATS).count == 0


def test_attributes_find_columns_of_other_names():
    rows = rows_of([{"key": 1, "chosen": "x"}], target_of(Quoted))
    assert [column.name for column in rows.values] == ["Primary Key", "select"]


def test_an_entity_gives_what_was_set():
    rows = rows_of([Seat(row="a"), Seat(row="b")], SEATS)
    assert [column.key for column in rows.values] == ["row"]


def test_an_entity_of_a_subclass_brings_its_discriminator():
    rows = rows_of([Dog(id=1, name="x")], target_of(Animal))
    assert rows.values[Animal.__table__.c.kind] == ["dog"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"row": "a"}, {"row": "b"}, {"number": 3}], r"^row 3 has 'number', other than row 1: every row of one call"),
        ([{"row": "a", "number": 1}, {"row": "b"}], r"^row 2 lacks 'number', other than row 1"),
        ([{"row": "a"}, {"row": "b", "guest": "x"}], r"^row 2 has 'guest', other than row 1"),
        ([Seat(row="a", number=1), Seat(row="b")], r"^row 2 lacks 'number'"),
        ([{"row": "a"}, 5], r"^row 2 is a int, but row 1 is a mapping"),
        ([{"row": "a"}, Ticket("a", 1)], r"^row 2 is a Ticket, but row 1 is a mapping"),
        ([Ticket("a", 1), Struct("b", 2)], r"^row 2 is a Struct, but row 1 is a Ticket"),
        ([Ticket("a", 1), {"row": "b"}], r"^row 2 is a dict, but row 1 is a Ticket"),
        ([SimpleNamespace(row="a")], r"^row 1 is a SimpleNamespace: give mappings, dataclasses"),
        ([Quoted(key=1)], r"^row 1 is a Quoted, not a Seat"),
        ([Seat(row="a"), {"row": "b"}], r"^row 2 is a dict, not a Seat"),
        ([{"rov": "a"}], r"^Seat has no attribute 'rov' that is a column of its table: did you mean 'row'\?"),
        ([{"row": func.now()}], r"^row 1 has an SQL expression as 'row'"),
    ],
)
def test_what_does_not_fit_is_named_and_its_values_are_not(rows, message):
    with pytest.raises(WriteError, match=message) as caught:
        rows_of(rows, SEATS)
    assert str(caught.value).endswith("Nothing was written.")


def test_a_column_is_given_by_its_attribute():
    with pytest.raises(WriteError, match="'select' that is a column of its table: did you mean 'chosen'"):
        rows_of([{"key": 1, "select": "x"}], target_of(Quoted))


async def test_joined_inheritance_is_refused(db):
    assert target_of(Animal).table is Animal.__table__
    with pytest.raises(WriteError, match=r"^Cat is spread over several tables"):
        await Cats(db).insert_many([{"id": 1, "lives": 9}])
    with pytest.raises(WriteError, match="several tables"):
        rows_of([Cat(id=1, lives=9)], target_of(Cat))
