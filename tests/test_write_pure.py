"""What is decided before anything is sent: duplicates, keys, types on the wire, statements. No server is needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ARRAY, CHAR, Column, Enum, Integer, Numeric, String, Text, types
from sqlalchemy.dialects.postgresql import BIT, MACADDR, asyncpg

from dal.errors import WriteError
from dal.write.batch import batch_of
from dal.write.conflict import Arbiter, arbiter_of
from dal.write.duplicates import compared_here, in_order_of_keys, without_duplicates
from dal.write.filling import Filled, filled_for_insert
from dal.write.rows import Rows, rows_of
from dal.write.source import inline
from dal.write.statements import Conflict, insertion, updating, upsertion
from dal.write.target import target_of
from dal.write.wire import Wire, wire_of
from tests.write_models import Member, Price, Quoted, Seat

DIALECT = asyncpg.dialect(dbapi=asyncpg.dialect.import_dbapi())
SEATS = target_of(Seat)


def _batch(model, rows):
    target = target_of(model)
    return batch_of(filled_for_insert(rows_of(rows, target), target), DIALECT)


def _values(batch):
    return list(zip(*(each.values for each in batch.sent), strict=True))


def _sql(statement):
    return " ".join(str(statement.compile(dialect=DIALECT)).split())


@given(st.lists(st.tuples(st.sampled_from("ab") | st.none(), st.integers(0, 3), st.integers()), min_size=1))
def test_the_last_of_each_key_stays_in_its_place_and_nulls_all_stay(rows):
    mappings = [{"row": row, "number": number, "guest": str(guest)} for row, number, guest in rows]
    batch = batch_of(Filled(rows_of(mappings, SEATS)), DIALECT)
    given_rows = _values(batch)
    kept = _values(without_duplicates(batch, Arbiter(SEATS.key), "last"))
    expected = [
        row
        for place, row in enumerate(given_rows)
        if row[0] is None or row[:2] not in [other[:2] for other in given_rows[place + 1 :]]
    ]
    assert kept == expected


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), min_size=1))
def test_duplicates_are_refused_by_their_numbers(rows):
    batch = _batch(Seat, [{"row": row, "number": number} for row, number in rows])
    if len(set(rows)) == len(rows):
        assert without_duplicates(batch, Arbiter(SEATS.key), "error") is batch
    else:
        with pytest.raises(WriteError, match=r"^rows \d+ and \d+ have the same key"):
            without_duplicates(batch, Arbiter(SEATS.key), "error")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), min_size=1, unique=True))
def test_rows_in_the_order_of_their_keys_are_the_same_rows(rows):
    batch = _batch(Seat, [{"row": row, "number": number} for row, number in rows])
    assert _values(in_order_of_keys(batch, Arbiter(SEATS.key))) == sorted(rows)


@pytest.mark.parametrize(
    ("model", "row", "on", "here"),
    [
        (Seat, {"row": "a", "number": 1}, (), True),
        (Seat, {"row": "a", "number": True}, (), False),  # which the server takes for 1
        (Price, {"amount": 1, "note": ""}, (), False),
        (Member, {"email": "a"}, [Member.email], True),
        (Member, {"login": "a"}, [Member.login], False),
        (Member, {"name": "a"}, "ix_member_name", False),
        (Member, {"email": "a"}, (), False),  # the key is the server's
    ],
)
def test_keys_are_compared_here_only_where_python_and_the_server_agree(model, row, on, here):
    assert compared_here(_batch(model, [row]), arbiter_of(on, target_of(model))) is here


@pytest.mark.parametrize(
    ("type_", "value", "wire"),
    [
        (Integer(), 1, Wire("INTEGER")),
        (Numeric(15, 2), 1, Wire("NUMERIC")),
        (String(8), "x", Wire("TEXT")),
        (CHAR(8), "x", Wire("BPCHAR")),
        (types.TIMESTAMP(timezone=True), None, Wire("TIMESTAMP WITH TIME ZONE")),
        (Enum("a", name="it"), "a", Wire("TEXT", cast=True)),
        (MACADDR(), "x", Wire("TEXT", cast=True)),
        (BIT(4), None, Wire("BIT VARYING")),
        (ARRAY(String(8)), ["x"], Wire("VARCHAR[]", in_array=False)),
        (ARRAY(CHAR(8)), ["x"], Wire("BPCHAR[]", in_array=False)),
    ],
)
def test_types_travel_without_their_lengths(type_, value, wire):
    assert wire_of(Column("it", type_), [None, value], DIALECT) == wire


def test_an_insert_is_one_statement_of_arrays():
    batch = _batch(Seat, [{"row": "a", "number": 1}, {"row": "b", "number": 2}])
    assert _sql(insertion(SEATS, batch, inline(batch))) == (
        "INSERT INTO place (row, number) SELECT dal_rows.row, dal_rows.number "
        "FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS INTEGER[])) WITH ORDINALITY AS dal_rows(row, number, dal_row) "
        "ORDER BY dal_rows.dal_row"
    )


def test_an_upsert_names_what_it_updates():
    batch = _batch(Quoted, [{"key": 1, "chosen": "x"}])
    target = target_of(Quoted)
    conflict = Conflict(arbiter_of("uq select", target), {target.columns["percent"]: 5})
    sql = _sql(upsertion(target, batch, inline(batch), conflict))
    assert sql.startswith('INSERT INTO "Other Place"."order by" ("Primary Key", "select", "100%") SELECT')
    assert sql.endswith('ON CONFLICT ("select") DO UPDATE SET "100%" = $4::INTEGER')


def test_an_update_joins_by_the_key():
    batch = batch_of(Filled(rows_of([{"row": "a", "number": 1, "guest": None}], SEATS)), DIALECT)
    assert _sql(updating(SEATS, batch, inline(batch), {})) == (
        "UPDATE place SET guest=dal_rows.guest FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS INTEGER[]), "
        "CAST($3 AS TEXT[])) WITH ORDINALITY AS dal_rows(row, number, guest, dal_row) "
        "WHERE place.row = dal_rows.row AND place.number = dal_rows.number"
    )


@pytest.mark.parametrize("size", [1, 1000])
def test_statements_of_all_sizes_are_the_same(size):
    batch = batch_of(Filled(Rows(size, {Seat.__table__.c.row: ["a"] * size})), DIALECT)
    assert "$2" not in _sql(insertion(SEATS, batch, inline(batch)))


def test_a_text_without_length_is_exact_and_one_that_may_be_cut_is_not():
    column = Column("it", String(3))
    short = batch_of(Filled(Rows(1, {column: ["abc"]})), DIALECT)
    long = batch_of(Filled(Rows(1, {column: ["abc "]})), DIALECT)
    assert compared_here(short, Arbiter((column,)))
    assert not compared_here(long, Arbiter((column,)))
    collated = Column("it", Text(collation="any"))
    assert not compared_here(batch_of(Filled(Rows(1, {collated: ["abc"]})), DIALECT), Arbiter((collated,)))
