"""A value of Python's is the same in the table, whatever else the table has, or it is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, Column, Integer, Interval, MetaData, Numeric, Table, Text
from sqlalchemy import Enum as EnumType
from sqlalchemy.dialects.postgresql import INET

from dal import Database
from dal.copy import Rejecting, copy_in
from dal.errors import CopyError
from tests.models import Everything, Everythings, Mood


class Colour(StrEnum):
    RED = "red"


class Shade(str, Enum):  # noqa: UP042 # a StrEnum prints its value
    """What was written before there were StrEnums; it prints as `Shade.DARK`."""

    DARK = "dark"


class Size(IntEnum):
    LARGE = 3


class Depth(int, Enum):
    """Prints as `Depth.SHALLOW`."""

    SHALLOW = 1


class Plain(Enum):
    ONLY = "only"


async def created(db: Database, *columns: Column[Any], name: str = "exact") -> Table:
    """Create a table of *columns* and a key."""
    table = Table(name, MetaData(), Column("id", Integer, primary_key=True, autoincrement=False), *columns)
    async with db.engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    return table


# What makes a table one whose records go as texts, or as what they are.
WITH = {"as they are": (), "as texts": (("host", INET),)}
MEMBERS = [
    (Text, Colour.RED, "red"),
    (Text, Shade.DARK, "dark"),
    (Integer, Size.LARGE, "3"),
    (Numeric, Depth.SHALLOW, "1"),
    (Integer, Depth.SHALLOW, "1"),
    (EnumType(Colour), Colour.RED, "RED"),
    (EnumType(Colour, values_callable=lambda kind: [each.value for each in kind]), Colour.RED, "red"),
]


@pytest.mark.parametrize("others", WITH)
@pytest.mark.parametrize(("kind", "value", "text"), MEMBERS)
async def test_a_member_of_an_enum_is_its_value_or_its_label_whatever_else_the_table_has(
    db, outside, kind, value, text, others
):
    table = await created(db, Column("value", kind), *[Column(*each) for each in WITH[others]])
    await copy_in(db, table, [{"id": 1, "value": value, **{name: None for name, _ in WITH[others]}}])
    assert await outside.fetchval("SELECT value::text FROM exact") == text


async def test_a_member_of_an_enum_is_the_same_in_a_record_that_the_server_reads(db, outside):
    table = await created(db, Column("value", Text), Column("count", Integer))
    # The one that is a text has the server read its record; the one that is none has it read all of them.
    records = [{"id": 1, "value": Colour.RED, "count": "7"}, {"id": 2, "value": Shade.DARK, "count": 8}]
    await copy_in(db, table, [*records, {"id": 3, "value": Shade.DARK, "count": 9}], on_error="reject")
    found = await outside.fetch("SELECT value, count FROM exact ORDER BY id")
    assert [tuple(each) for each in found] == [("red", 7), ("dark", 8), ("dark", 9)]


async def test_a_member_of_an_enum_is_in_the_reject_file_as_its_column_has_it(db, tmp_path):
    table = await created(db, Column("value", Text), Column("label", EnumType(Colour)), Column("count", Integer))
    records = [{"id": 1, "value": Colour.RED, "label": Colour.RED, "count": "x"}]
    await copy_in(db, table, records, on_error=Rejecting(tmp_path / "bad.csv"))
    assert (tmp_path / "bad.csv").read_text().splitlines()[1] == '"1","red","RED","x"'


@pytest.mark.parametrize("name", ["words", "mood"])
async def test_a_member_of_another_enum_is_refused(db, name):
    with pytest.raises(CopyError, match=rf"^record 2, column '{name}': .* Nothing was loaded\.$"):
        await Everythings(db).copy_in(
            [{"id": 1, name: Mood.glad if name == "mood" else "a"}, {"id": 2, name: Plain.ONLY}]
        )


LAPSES = [timedelta(seconds=-1), timedelta(days=-3, microseconds=7), timedelta(days=2, hours=5), timedelta.min]


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "sql_standard", "iso_8601"])
@pytest.mark.parametrize("others", WITH)
async def test_an_interval_is_the_same_under_every_style(db, outside, style, others):
    table = await created(db, Column("lapse", Interval), *[Column(*each) for each in WITH[others]])
    records = [{"id": n, "lapse": each, **{name: None for name, _ in WITH[others]}} for n, each in enumerate(LAPSES)]
    async with db.begin() as session:
        await (await session.connection()).exec_driver_sql(f"SET LOCAL intervalstyle = {style}")
        await copy_in(session, table, records)
    found = await outside.fetch("SELECT lapse FROM exact ORDER BY id")
    assert [each["lapse"] for each in found] == LAPSES


KEY = UUID(int=7)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WALL = datetime(2026, 1, 2, 12)  # noqa: DTZ001 # that is it
DAY = date(2026, 1, 2)
MIDNIGHT = datetime(2026, 1, 2)  # noqa: DTZ001 # that is it
# Of each kind, some that could be taken for something else.
GIVEN: list[Any] = [
    0, 1, 7, 20260102, 2**24 + 1, 2**53 + 1, 1.0, 0.5, 7.25, float("nan"), True, False,
    Decimal(1), Decimal("0.5"), Decimal("0.125"), "1", "x", "{a}", "", b"1", b"abc", bytearray(b"\\x41"),
    DAY, MIDNIGHT, WALL, NOON, time(12), time(12, tzinfo=UTC), timedelta(hours=1), KEY, KEY.bytes,
    [1], ["a"], ("a",), {"a"}, {"a": 1}, [b"a"], object(), Mood.glad, Colour.RED, Size.LARGE,
]  # fmt: skip

INTEGERS = {"0": "0", "1": "1", "7": "7", "'1'": "1", "1.0": "1", "Decimal('1')": "1", "<Size.LARGE: 3>": "3"}
LARGER = {"20260102": "20260102", "16777217": "16777217"}
LARGEST = {"9007199254740993": "9007199254740993"}
FRACTIONS = {"0.5": "0.5", "7.25": "7.25", "nan": "NaN", "Decimal('0.5')": "0.5"}
WORDS = {"'1'": "1", "'x'": "x", "'{a}'": "{a}", "''": "", "<Colour.RED: 'red'>": "red"}
DAYS = {repr(day): "2026-01-02" for day in (DAY, MIDNIGHT)}
LABELS = {"<Mood.glad: 'glad'>": "glad"}
# Of each column, those that it takes, and what is there then; it refuses all others.
TAKES: dict[str, dict[str, str]] = {
    "small": INTEGERS,
    "whole": INTEGERS | LARGER,
    "big": INTEGERS | LARGER | LARGEST,
    "number": INTEGERS | LARGER | LARGEST | FRACTIONS | {"1.0": "1.0", "Decimal('0.125')": "0.125"},
    "double": INTEGERS | LARGER | FRACTIONS | {"16777217": "16777217", "Decimal('0.125')": "0.125"},
    "words": WORDS,
    "mood": LABELS,
    "flag": {"0": "false", "1": "true", "'1'": "true", "False": "false", "True": "true"},
    "day": DAYS,
    "moment": {repr(NOON): "2026-01-02 12:00:00+00"},
    "wall_clock": {repr(day): "2026-01-02 00:00:00" for day in (DAY, MIDNIGHT)} | {repr(WALL): "2026-01-02 12:00:00"},
    "hour": {repr(time(12)): "12:00:00"},
    "lapse": {repr(timedelta(hours=1)): "01:00:00", "'1'": "00:00:01"},
    "key": {repr(KEY): str(KEY)},
    "raw": {
        "b'1'": "\\x31",
        "b'abc'": "\\x616263",
        repr(bytearray(b"\\x41")): "\\x5c783431",
        repr(KEY.bytes): f"\\x{KEY.hex}",
        # As the server reads the text of a bytea.
        "'1'": "\\x31",
        "'x'": "\\x78",
        "'{a}'": "\\x7b617d",
        "''": "\\x",
        "<Colour.RED: 'red'>": "\\x726564",
    },
    "texts": {"'{a}'": "{a}", "['a']": "{a}", "('a',)": "{a}", "{'a'}": "{a}"},
}


@pytest.mark.parametrize("others", WITH)
@pytest.mark.parametrize("name", TAKES)
async def test_a_value_of_another_kind_is_taken_for_what_it_is_or_refused(db, outside, name, others):
    kind = ARRAY(Text) if name == "texts" else Everything.__table__.columns[name].type
    table = await created(db, Column("value", kind), *[Column(*each) for each in WITH[others]])
    more = {name: None for name, _ in WITH[others]}
    records = [{"id": number, "value": value, **more} for number, value in enumerate(GIVEN)]
    async with db.begin() as session:
        await (await session.connection()).exec_driver_sql("SET LOCAL timezone = 'Europe/Berlin'")
        await copy_in(session, table, records, on_error="reject")
    found = {
        repr(GIVEN[each["id"]]): each["value"] for each in await outside.fetch("SELECT id, value::text FROM exact")
    }
    assert found == TAKES[name]
