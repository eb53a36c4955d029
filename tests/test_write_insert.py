"""insert_many: rows in their order, filled in by the mapping and the server, all of them or none."""

import pytest

from dal import Database
from dal.errors import InsufficientPrivilege, NotNullViolation, StatementRefused, UniqueViolation, WriteError
from dal.testing import assert_statements
from dal.write import offering
from tests.looking import count
from tests.write_models import (
    Animal,
    Animals,
    Dog,
    Dogs,
    Filled,
    Filleds,
    Piece,
    Pieces,
    Quoted,
    Quoteds,
    Seat,
    Seats,
    Stricts,
)


@pytest.fixture
async def plain_role(outside, role_url, tables):
    """Lend the address of a role that may write seats."""
    await outside.execute(f"GRANT ALL ON place TO {role_url.username}")
    yield role_url
    await outside.execute(f"DROP OWNED BY {role_url.username}")


async def _values(outside, query):
    return [tuple(row) for row in await outside.fetch(query)]


async def test_insert_gives_the_number_of_rows(tables, way, outside):
    assert await Seats(tables).insert_many({"row": "a", "number": number} for number in range(5)) == 5
    assert await count(outside, "place") == 5


async def test_insert_gives_generated_keys_in_the_order_of_the_rows(tables, way):
    # Rows of very different sizes: the staging table must not fill its gaps with later ones.
    names = [f"{number} " + "x" * (number * 1237 % 6000) for number in range(600)]
    rows = await Filleds(tables).insert_many([{"name": name} for name in names], returning=[Filled.name, Filled.id])
    assert [row.name for row in rows] == names
    assert [row.id for row in rows] == sorted(row.id for row in rows)


async def test_no_rows_send_nothing(tables):
    with assert_statements(0):
        assert await Seats(tables).insert_many([]) == 0
        assert await Seats(tables).insert_many([], returning=[Seat.row]) == []


async def test_rows_returned_are_called_like_attributes(tables, way):
    [row] = await Quoteds(tables).insert_many([{"key": 5, "chosen": "x"}], returning=[Quoted.key, Quoted.percent])
    assert (row.key, row.percent) == (5, 1)


async def test_entities_are_read_and_not_tracked(tables):
    seat = Seat(row="a", number=1)
    async with tables.writing() as session:
        assert await Seats(tables).insert_many([seat]) == 1
        assert seat not in session


async def test_defaults_of_every_kind_are_applied(tables, way):
    repository = Filleds(tables)
    await repository.insert_many([{"name": "a"}, {"name": "b"}])
    one, two = await repository.list(order_by=Filled.id)
    assert (one.scalar, one.contextual, one.inlined, one.server, one.computed) == (7, "a!", "SQL", "server's", "a?")
    assert two.called == one.called + 1
    assert (one.number, two.number) == (1, 2)
    assert (two.contextual, two.touched, two.changed) == ("b!", "new", None)


async def test_what_rows_say_wins_over_defaults(tables, way):
    repository = Filleds(tables)
    await repository.insert_many([{"id": 7, "name": "a", "scalar": 1, "server": "mine", "number": 3, "inlined": "x"}])
    it = await repository.get_one(7)
    assert (it.scalar, it.server, it.number, it.inlined) == (1, "mine", 3, "x")


async def test_a_generated_key_that_is_none_in_every_row_is_the_servers(tables, way):
    rows = await Filleds(tables).insert_many(
        [{"id": None, "name": "a"}, {"id": None, "name": "b"}], returning=[Filled.id]
    )
    assert [row.id for row in rows] == [1, 2]


async def test_a_generated_key_that_is_none_in_some_rows_is_refused_by_the_server(tables, way):
    with pytest.raises(NotNullViolation):
        await Filleds(tables).insert_many([{"id": None, "name": "a"}, {"id": 5, "name": "b"}])


async def test_rows_without_a_value_are_refused(tables, way):
    with pytest.raises(WriteError, match="row 1 has no attributes"):
        await Seats(tables).insert_many([{}])
    with pytest.raises(WriteError, match="give no value to any column"):
        await Stricts(tables).insert_many([{"id": None}])


async def test_one_bad_row_leaves_nothing(tables, way, outside):
    with pytest.raises(UniqueViolation) as caught:
        await Seats(tables).insert_many(
            [{"row": "a", "number": 1}, {"row": "b", "number": 2}, {"row": "a", "number": 1}]
        )
    assert caught.value.constraint == "pk_place"
    assert await count(outside, "place") == 0


async def test_names_that_need_quotes_are_quoted(tables, way, outside):
    await Quoteds(tables).insert_many([{"key": 1, "chosen": "x", "percent": 5}])
    assert await _values(outside, 'SELECT * FROM "Other Place"."order by"') == [(1, "x", 5)]


async def test_a_subclass_in_the_same_table_gets_its_discriminator(tables, way):
    await Dogs(tables).insert_many([{"id": 1, "name": "rex"}])
    await Animals(tables).insert_many([{"id": 2, "name": "it"}])
    assert [type(each) for each in await Animals(tables).list(order_by=Dog.id)] == [Dog, Animal]
    assert [each.id for each in await Dogs(tables).list()] == [1]


async def test_partitions_take_their_rows_in_order(tables, way, outside):
    await outside.execute("CREATE TABLE piece_a (value int NOT NULL, kind text NOT NULL, id int NOT NULL)")
    await outside.execute("ALTER TABLE piece ATTACH PARTITION piece_a FOR VALUES IN ('a')")
    await outside.execute("CREATE TABLE piece_b PARTITION OF piece DEFAULT")
    rows = [{"id": number, "kind": "ab"[number % 2], "value": -number} for number in range(20)]
    written = await Pieces(tables).insert_many(rows, returning=[Piece.value])
    assert [row.value for row in written] == [-number for number in range(20)]


async def test_a_generated_always_key_is_refused_whatever_the_number_of_rows(tables, way):
    with pytest.raises(StatementRefused, match="428C9"):
        await Stricts(tables).insert_many([{"id": 5}])


async def test_a_policy_of_the_table_is_obeyed_whatever_the_number_of_rows(tables, way, outside, plain_role):
    await outside.execute("ALTER TABLE place ENABLE ROW LEVEL SECURITY; CREATE POLICY a ON place USING (row = 'a')")
    async with Database(plain_role) as db:
        assert await Seats(db).insert_many([{"row": "a", "number": 1}]) == 1
        with pytest.raises(InsufficientPrivilege):
            await Seats(db).insert_many([{"row": "b", "number": 1}])


async def test_a_role_without_temporary_tables_writes_many_rows_as_well(tables, outside, plain_role, monkeypatch):
    monkeypatch.setattr(offering, "INLINE_VALUES", 0)
    await outside.execute(f'REVOKE TEMP ON DATABASE "{plain_role.database}" FROM PUBLIC')
    async with Database(plain_role) as db:
        rows = [{"row": "a", "number": number} for number in range(10)]
        assert len(await Seats(db).insert_many(rows, returning=[Seat.number])) == 10
