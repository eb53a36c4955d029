"""upsert_many: insert or update, by every kind of key, and tell which."""

import asyncio
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range

from dal import Database, PoolConfig
from dal.errors import CheckViolation, ForeignKeyViolation, StatementRefused, WriteError
from dal.testing import assert_statements
from dal.write import Upserted
from dal.write.kept import kept_count
from dal.write.upsert import _kept_conflict
from tests.looking import count
from tests.write_models import (
    Counteds,
    Doubles,
    Filled,
    Filleds,
    Member,
    Members,
    Nick,
    Nicks,
    Piece,
    Pieces,
    Prices,
    Quoted,
    Quoteds,
    Rooms,
    Seat,
    Seats,
    create,
)


def _seats(*guests):
    return [{"row": "a", "number": number, "guest": guest} for number, guest in enumerate(guests)]


async def _guests(outside):
    return [row["guest"] for row in await outside.fetch("SELECT guest FROM place ORDER BY row, number")]


async def test_rows_are_inserted_or_updated_and_counted(tables, way, outside):
    await Seats(tables).insert_many(_seats("x", "y"))
    assert await Seats(tables).upsert_many(_seats("X", "Y", "Z")) == Upserted(inserted=1, updated=2)
    assert await _guests(outside) == ["X", "Y", "Z"]


async def test_no_rows_send_nothing(tables):
    with assert_statements(0):
        assert await Seats(tables).upsert_many([]) == Upserted(0, 0)
        assert await Seats(tables).upsert_many([], returning=[Seat.row]) == []


async def test_rows_written_come_in_the_order_of_the_input(tables, way):
    await Seats(tables).insert_many(_seats("x", "y", "z"))
    rows = list(reversed(_seats(*"abcdef")))
    written = await Seats(tables).upsert_many(rows, returning=[Seat.number, Seat.guest])
    assert [tuple(row) for row in written] == [(row["number"], row["guest"]) for row in rows]


async def test_rows_left_alone_do_not_come_back(tables, way):
    await Seats(tables).insert_many(_seats("x"))
    written = await Seats(tables).upsert_many(_seats("a", "b"), update=(), returning=[Seat.number])
    assert [row.number for row in written] == [1]


async def test_no_attribute_to_update_leaves_what_is_there(tables, way, outside):
    await Seats(tables).insert_many(_seats("x"))
    assert await Seats(tables).upsert_many(_seats("a", "b"), update=()) == Upserted(inserted=1, updated=0)
    assert await _guests(outside) == ["x", "b"]


async def test_rows_with_nothing_but_the_key_leave_what_is_there(tables, way, outside):
    await Seats(tables).insert_many(_seats("x"))
    rows = [{"row": "a", "number": number} for number in range(2)]
    assert await Seats(tables).upsert_many(rows) == Upserted(inserted=1, updated=0)
    assert await _guests(outside) == ["x", None]


async def test_only_the_attributes_named_are_updated(tables, way):
    members = Members(tables)
    await members.insert_many([{"email": "a", "name": "old", "rank": 1}])
    await members.upsert_many([{"email": "a", "name": "new", "rank": 2}], on=[Member.email], update=[Member.rank])
    [member] = await members.list()
    assert (member.name, member.rank) == ("old", 2)


async def test_a_condition_decides_which_rows_are_updated(tables, way):
    members = Members(tables)
    await members.insert_many([{"email": "a", "rank": 5}, {"email": "b", "rank": 1}])
    rows = [{"email": each, "rank": 3} for each in "abc"]
    done = await members.upsert_many(rows, on=[Member.email], where=lambda new: Member.rank < new.rank)
    assert done == Upserted(inserted=1, updated=1)
    assert [each.rank for each in await members.list(order_by=Member.email)] == [5, 3, 3]


async def test_a_condition_may_speak_of_the_table_alone(tables, way):
    members = Members(tables)
    await members.insert_many([{"email": "a", "rank": 5}, {"email": "b", "rank": 1}])
    rows = [{"email": each, "rank": 3} for each in "ab"]
    assert await members.upsert_many(rows, on=[Member.email], where=Member.rank < 2) == Upserted(0, 1)
    assert await members.upsert_many(rows, on=[Member.email], where=Member.rank < 9) == Upserted(0, 2)


async def test_a_condition_knows_attributes_whose_columns_are_called_otherwise(tables, way):
    quoteds = Quoteds(tables)
    await quoteds.insert_many([{"key": 1, "chosen": "x", "percent": 5}])
    rows = [{"key": 1, "chosen": "y", "percent": 9}]
    assert await quoteds.upsert_many(rows, where=lambda new: Quoted.percent > new.percent) == Upserted(0, 0)
    assert await quoteds.upsert_many(rows, where=lambda new: Quoted.percent < new.percent) == Upserted(0, 1)


@pytest.mark.parametrize("on", ["uq select", [Quoted.chosen], "pk_order by", ()])
async def test_a_key_is_named_or_given_by_attributes(tables, way, on):
    rows = [{"key": 1, "chosen": "x", "percent": 5}]
    await Quoteds(tables).insert_many(rows)
    assert await Quoteds(tables).upsert_many(rows, on=on) == Upserted(0, 1)


async def test_a_name_that_is_none_is_refused(tables):
    with pytest.raises(WriteError, match=r"^'place' has no constraint or unique index 'x'; it has 'pk_place'\."):
        await Seats(tables).upsert_many(_seats("x"), on="x")


async def test_attributes_that_are_no_key_are_refused_by_the_server(tables, way):
    with pytest.raises(StatementRefused):
        await Seats(tables).upsert_many(_seats("x"), on=[Seat.guest])


async def test_the_last_of_one_key_wins(tables, way, outside):
    rows = [*_seats("x", "y"), *_seats("X")]
    assert await Seats(tables).upsert_many(rows) == Upserted(inserted=2, updated=0)
    assert await _guests(outside) == ["X", "y"]


async def test_duplicates_are_refused_if_asked_by_number(tables, way, outside):
    with pytest.raises(WriteError, match=r"^rows 1 and 3 have the same key"):
        await Seats(tables).upsert_many([*_seats("x", "y"), *_seats("X")], duplicates="error")
    assert await count(outside, "place") == 0


@pytest.mark.parametrize("amounts", [["1", "1.0"], ["1.001", "1.002"], ["NaN", "NaN"]])
async def test_keys_are_the_same_where_the_server_stores_the_same(tables, way, outside, amounts):
    rows = [{"amount": Decimal(each), "note": str(number)} for number, each in enumerate(amounts)]
    with pytest.raises(WriteError, match=r"^rows 1 and 2 have the same key"):
        await Prices(tables).upsert_many(rows, duplicates="error")
    assert await Prices(tables).upsert_many(rows) == Upserted(inserted=1, updated=0)
    assert await outside.fetchval("SELECT note FROM price") == "1"


async def test_distinct_keys_are_no_duplicates(tables, way):
    rows = [{"amount": Decimal(each), "note": ""} for each in range(5)]
    assert await Prices(tables).upsert_many(rows, duplicates="error") == Upserted(inserted=5, updated=0)


async def test_keys_with_null_never_conflict(tables, way):
    rows = [{"email": None, "rank": number} for number in range(3)]
    assert await Members(tables).upsert_many(rows, on=[Member.email], duplicates="error") == Upserted(3, 0)
    assert await Members(tables).upsert_many(rows, on=[Member.email]) == Upserted(3, 0)


async def test_keys_with_null_conflict_where_the_constraint_says_so(tables, way):
    rows = [{"nick": None, "rank": number} for number in range(3)]
    assert await Nicks(tables).upsert_many(rows, on=[Nick.nick]) == Upserted(1, 0)
    assert await Nicks(tables).upsert_many(rows, on="uq_nick_nick") == Upserted(0, 1)
    assert [each.rank for each in await Nicks(tables).list()] == [2]


@pytest.mark.parametrize("on", ["ix_member_login", [Member.login]])
async def test_a_partial_index_takes_part_only_where_it_holds(tables, way, on):
    members = Members(tables)
    rows = [
        {"login": "a", "gone": None, "rank": 1},
        {"login": "a", "gone": date(2026, 1, 1), "rank": 2},
        {"login": "a", "gone": date(2026, 1, 1), "rank": 3},
        {"login": "a", "gone": None, "rank": 4},
    ]
    assert await members.upsert_many(rows, on=on) == Upserted(inserted=3, updated=0)
    assert sorted(each.rank for each in await members.list()) == [2, 3, 4]
    assert await members.upsert_many([{"login": "a", "rank": 9}, {"login": "a", "rank": 8}], on=on) == Upserted(0, 1)


async def test_an_index_by_expression_compares_by_it(tables, way):
    members = Members(tables)
    rows = [{"name": "Ann", "rank": 1}, {"name": "ANN", "rank": 2}]
    assert await members.upsert_many(rows, on="ix_member_name") == Upserted(1, 0)
    assert await members.upsert_many([{"name": "ann", "rank": 3}], on="ix_member_name") == Upserted(0, 1)
    assert [(each.name, each.rank) for each in await members.list()] == [("ann", 3)]


async def test_an_exclusion_constraint_leaves_what_is_there(tables, way):
    rows = [{"hours": Range(1, 5)}, {"hours": Range(7, 9)}, {"hours": Range(3, 6)}]
    assert await Members(tables).upsert_many(rows, on="ex_member_hours", update=()) == Upserted(2, 0)


async def test_an_update_applies_onupdate_and_leaves_defaults_alone(tables, way):
    filleds = Filleds(tables)
    await filleds.insert_many([{"id": 1, "name": "a"}])
    before = await filleds.get_one(1)
    await filleds.upsert_many([{"id": 1, "name": "b"}])
    after = await filleds.get_one(1)
    assert (after.name, after.called, after.number) == ("b", before.called, before.number)
    assert after.touched.startswith("touched")
    assert after.changed is not None
    await filleds.upsert_many([{"id": 1, "name": "c"}])
    assert (await filleds.get_one(1)).touched != after.touched


async def test_an_update_counts_the_version(tables, way, outside):
    await Counteds(tables).upsert_many([{"id": 1, "value": 1}])
    await Counteds(tables).upsert_many([{"id": 1, "value": 2}])
    assert await outside.fetchval("SELECT version FROM counted") == 2


async def test_partitions_are_counted(tables, way, outside):
    await outside.execute("CREATE TABLE piece_a (value int NOT NULL, kind text NOT NULL, id int NOT NULL)")
    await outside.execute("ALTER TABLE piece ATTACH PARTITION piece_a FOR VALUES IN ('a')")
    await outside.execute("CREATE TABLE piece_b PARTITION OF piece DEFAULT")
    rows = [{"id": number, "kind": "ab"[number % 2], "value": 1} for number in range(10)]
    assert await Pieces(tables).upsert_many(rows[:6]) == Upserted(6, 0)
    assert await Pieces(tables).upsert_many(rows) == Upserted(4, 6)
    assert len(await Pieces(tables).upsert_many(rows, returning=[Piece.id])) == 10


async def test_triggers_that_write_to_the_table_do_not_disturb_the_count(tables, way, outside):
    await outside.execute("""
        CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF pg_trigger_depth() = 1 THEN INSERT INTO place VALUES ('t', NEW.number); END IF; RETURN NULL; END $$;
        CREATE TRIGGER more AFTER INSERT ON place FOR EACH ROW EXECUTE FUNCTION more()""")
    await Seats(tables).upsert_many(_seats("x"))
    assert await Seats(tables).upsert_many(_seats("x", "y", "z")) == Upserted(inserted=2, updated=1)


async def test_a_server_that_does_not_know_old_rows_counts_as_well(tables, monkeypatch):
    monkeypatch.setattr("dal.write.statements._KNOWS_OLD", (99,))
    kept_count.cache_clear()
    await Seats(tables).upsert_many(_seats("x"))
    assert await Seats(tables).upsert_many(_seats("x", "y", "z")) == Upserted(inserted=2, updated=1)


async def test_a_server_without_counters_counts_as_well(tables, way, outside):
    await outside.execute("ALTER ROLE CURRENT_USER SET track_counts = off")
    try:
        tables.pool.expire()
        await Seats(tables).upsert_many(_seats("x"))
        assert await Seats(tables).upsert_many(_seats("x", "y", "z")) == Upserted(inserted=2, updated=1)
    finally:
        await outside.execute("ALTER ROLE CURRENT_USER RESET track_counts")


async def test_one_bad_row_leaves_nothing(tables, way, outside):
    await outside.execute("ALTER TABLE place ADD CHECK (number < 3)")
    with pytest.raises(CheckViolation):
        await Seats(tables).upsert_many(_seats("x", "y", "z", "bad"))
    assert await count(outside, "place") == 0
    with pytest.raises(ForeignKeyViolation):
        await Rooms(tables).upsert_many([{"id": 1, "house_id": 1}])


async def test_upserts_of_the_same_rows_in_other_orders_do_not_deadlock(tables, way):
    rows = _seats(*map(str, range(200)))
    for _ in range(5):
        done = await asyncio.gather(
            *(Seats(tables).upsert_many(each) for each in (rows, rows[::-1], rows[100:] + rows))
        )
        assert sum(each.inserted + each.updated for each in done) == 600


async def test_onupdate_that_looks_at_its_row_is_refused(tables, monkeypatch):
    monkeypatch.setattr(Filled.__table__.c.touched.onupdate, "arg", lambda context: context.get_current_parameters())
    with pytest.raises(WriteError, match="the onupdate of column 'touched' looks at its row"):
        await Filleds(tables).upsert_many([{"id": 1, "name": "a"}])


async def test_two_partial_indexes_of_the_same_columns_are_told_apart_by_name(tables, outside):
    from sqlalchemy import Index

    table = Member.__table__
    other = Index("ix_member_other", table.c.login, unique=True, postgresql_where=text("rank > 5"))
    _kept_conflict.cache_clear()
    try:
        with pytest.raises(WriteError, match="2 partial unique indexes of 'member'"):
            await Members(tables).upsert_many([{"login": "a"}], on=[Member.login])
    finally:
        table.indexes.remove(other)


async def test_tables_whose_columns_share_names_and_not_types_do_not_mix(database_url, way):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        await create(db)
        for _ in range(2):
            await Nicks(db).upsert_many([{"id": 1, "nick": "x", "rank": 1}])
            await Doubles(db).upsert_many([{"id": "1", "nick": 2, "rank": "x"}])
        assert (await Nicks(db).get_one(1)).nick == "x"
        assert (await Doubles(db).get_one("1")).nick == 2
