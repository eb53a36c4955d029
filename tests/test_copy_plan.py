"""Which records fit which table is decided before anything is sent; no server is asked."""

from decimal import Decimal
from itertools import count

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ARRAY, Column, Integer, MetaData, Numeric, Sequence, Table, Text, TypeDecorator, func

from dal.copy import plan
from dal.copy.encoding import encoder_of
from dal.copy.fitting import fitted
from dal.copy.records import Chunk, Records
from dal.demo.models import Order
from dal.errors import CopyError
from tests.models import Account, Everything
from tests.records import ACCOUNT, accounts

TABLE = Account.__table__


def _schema(**types):
    return pa.schema([ACCOUNT.field(name) if kind is ... else pa.field(name, kind) for name, kind in types.items()])


def plan_copy(table, schema, rename=None):
    return plan.plan_copy(table, Records(schema, lambda _: iter(())), rename)


def _fit(planned, batch):
    """Give what is sent of *batch*, whose columns are in the plan's order, and what is not."""
    return fitted(planned, Chunk(batch.select(planned.wanted.names), range(1, batch.num_rows + 1)))


def _refusal(table, schema, rename=None):
    with pytest.raises(CopyError) as caught:
        plan_copy(table, schema, rename)
    message = str(caught.value)
    assert "\n" not in message
    return message


def _column(name):
    """Make a table of one column of `everything`."""
    column = Everything.__table__.columns[name]
    return Table("one", MetaData(), Column(name, column.type))


# ... stands for the type that fits.
REFUSED = {
    "missing": ({"id": ..., "balance": ...}, "the records lack column 'owner', which must have a value"),
    "extra": (
        {"id": ..., "owner": ..., "balance": ..., "colour": pa.string()},
        "the records have a column 'colour' that the table lacks",
    ),
    "misspelt": (
        {"id": ..., "ownr": pa.string(), "balance": ...},
        "'ownr' that the table lacks (did you mean 'owner'?)",
    ),
    "mistyped": (
        {"id": ..., "owner": pa.int32(), "balance": ...},
        "column 'owner' is int32 in the records and text in the table",
    ),
    "text for a number": (
        {"id": ..., "owner": ..., "balance": pa.string()},
        "column 'balance' is string in the records and integer in the table",
    ),
    "float for a whole number": ({"id": ..., "owner": ..., "balance": pa.float64()}, "column 'balance' is double"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_records_that_do_not_fit_are_one_line(case):
    types, fault = REFUSED[case]
    assert fault in _refusal(TABLE, _schema(**types))


def test_every_fault_is_in_the_one_line():
    message = _refusal(TABLE, _schema(id=pa.string(), balance=..., colour=pa.string()))
    assert all(name in message for name in ("'id'", "'owner'", "'colour'"))


def test_the_line_names_the_table_and_says_that_nothing_was_loaded():
    message = _refusal(TABLE, pa.schema([]))
    assert message.startswith("the records do not fit table 'account': ")
    assert message.endswith(" Nothing was loaded.")


def test_two_columns_of_one_name_are_refused():
    schema = pa.schema([*ACCOUNT, ACCOUNT.field("owner")])
    assert "two columns of the records have the same name" in _refusal(TABLE, schema)


def test_a_rename_onto_a_column_that_is_there_is_refused():
    schema = pa.schema([*ACCOUNT, pa.field("name", pa.string())])
    assert "two columns of the records have the same name" in _refusal(TABLE, schema, {"name": "owner"})


def test_a_rename_of_what_the_records_lack_is_refused():
    assert "rename= names 'nme', which the records do not have" in _refusal(TABLE, ACCOUNT, {"nme": "owner"})


def test_a_rename_to_what_the_table_lacks_is_refused():
    assert "a column 'holder' that the table lacks" in _refusal(TABLE, ACCOUNT, {"owner": "holder"})


def test_a_rename_gives_the_records_the_tables_names():
    schema = pa.schema([("key", pa.int32()), ("owner", pa.string()), ("balance", pa.int32())])
    assert plan_copy(TABLE, schema, {"key": "id"}).schema.names == TABLE.columns.keys()


@given(st.permutations(ACCOUNT.names))
def test_the_order_of_the_columns_never_matters(names):
    given_table = accounts(1, 2).select(names)
    batch = given_table.to_batches()[0]
    found = _fit(plan_copy(TABLE, given_table.schema), batch)
    assert found.batch.equals(accounts(1, 2).to_batches()[0])


def test_a_column_that_the_server_fills_may_be_missing():
    without_id = pa.schema(
        [(column.name, _fitting(column)) for column in Order.__table__.columns if column.name != "id"]
    )
    assert "id" not in plan_copy(Order.__table__, without_id).schema.names


def _fitting(column):
    kinds = {"BIGINT": pa.int64(), "INTEGER": pa.int32(), "TEXT": pa.string(), "DATE": pa.date32()}
    return kinds.get(str(column.type), pa.decimal128(15, 2))


def test_a_nullable_column_may_be_missing():
    assert plan_copy(Everything.__table__, pa.schema([("id", pa.int64())])).schema.names == ["id"]


def test_a_default_of_pythons_is_applied_to_every_record():
    given = count(7)
    table = Table("t", MetaData(), Column("a", Integer), Column("b", Integer, default=lambda: next(given)))
    planned = plan_copy(table, pa.schema([("a", pa.int32())]))
    assert _fit(planned, pa.record_batch({"a": [1, 2]})).batch.to_pydict() == {"a": [1, 2], "b": [7, 8]}


def test_a_default_that_looks_at_its_row_sees_what_is_sent():
    def twice(context):
        return 2 * context.get_current_parameters()["a"]

    table = Table(
        "t", MetaData(), Column("a", Integer), Column("b", Integer, default=twice), Column("c", Text, default="x")
    )
    planned = plan_copy(table, pa.schema([("a", pa.int32())]))
    assert _fit(planned, pa.record_batch({"a": [1, 2]})).batch.to_pydict() == {"a": [1, 2], "b": [2, 4], "c": ["x"] * 2}


def test_a_default_of_a_sequence_may_not_be_missing():
    table = Table("t", MetaData(), Column("a", Integer), Column("b", Integer, Sequence("counter")))
    assert "column 'b', whose default is the sequence 'counter', which" in _refusal(
        table, pa.schema([("a", pa.int32())])
    )


def test_a_default_of_the_servers_may_be_missing():
    table = Table("t", MetaData(), Column("a", Integer), Column("b", Integer, server_default="7", nullable=False))
    assert plan_copy(table, pa.schema([("a", pa.int32())])).schema.names == ["a"]


def test_a_default_that_is_sql_may_not_be_missing():
    table = Table("t", MetaData(), Column("a", Integer), Column("b", Text, default=func.now(), nullable=False))
    assert "column 'b', whose default is an SQL expression" in _refusal(table, pa.schema([("a", pa.int32())]))


def test_a_type_that_decorates_another_is_refused():
    class Upper(TypeDecorator):
        """Writes capitals, which COPY would not."""

        impl = Text
        cache_ok = True

    table = Table("t", MetaData(), Column("a", Upper))
    assert "column 'a' is of the application's Upper, which takes Python's values only" in _refusal(
        table, pa.schema([("a", pa.string())])
    )


def test_an_array_of_other_elements_is_refused():
    table = Table("t", MetaData(), Column("a", ARRAY(Integer)))
    assert "column 'a' is list" in _refusal(table, pa.schema([("a", pa.list_(pa.string()))]))


def test_a_column_with_another_key_goes_by_its_name():
    table = Table("t", MetaData(), Column("a", Integer, key="b"))
    assert plan_copy(table, pa.schema([("a", pa.int32())])).schema.names == ["a"]


# COPY's binary format: signature, flags, no extension; a row of one field, which is null; the end.
ONE_NULL = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\1" + b"\xff" * 4 + b"\xff" * 2
# A column, and an Arrow type that goes into it.
FITTING = [
    ("small", pa.int64()), ("small", pa.uint8()), ("whole", pa.int8()), ("big", pa.uint64()),
    ("money", pa.decimal128(15, 2)), ("money", pa.decimal256(40, 6)), ("number", pa.decimal128(38, 10)),
    ("single", pa.float32()), ("double", pa.float32()), ("double", pa.float16()),
    ("words", pa.large_string()), ("words", pa.string_view()), ("words", pa.dictionary(pa.int8(), pa.string())),
    ("mood", pa.string()), ("day", pa.date64()), ("moment", pa.timestamp("ns", "Europe/Berlin")),
    ("moment", pa.timestamp("s", "UTC")), ("wall_clock", pa.timestamp("ms")), ("hour", pa.time32("s")),
    ("lapse", pa.duration("s")), ("key", pa.binary(16)), ("raw", pa.large_binary()), ("document", pa.large_string()),
    ("letter", pa.string()), ("words", pa.null()), ("whole", pa.null()),
]  # fmt: skip
UNFITTING = [
    ("small", pa.float32()), ("whole", pa.bool_()), ("money", pa.float64()), ("money", pa.int64()),
    ("single", pa.float64()), ("words", pa.binary()), ("flag", pa.int8()), ("day", pa.timestamp("us")),
    ("day", pa.string()), ("moment", pa.timestamp("us")), ("wall_clock", pa.timestamp("us", "UTC")),
    ("hour", pa.duration("us")), ("lapse", pa.int64()), ("key", pa.string()), ("key", pa.binary(15)),
    ("raw", pa.string()), ("document", pa.struct([("a", pa.int8())])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), FITTING, ids=str)
def test_a_type_that_fits_can_be_encoded(name, kind):
    planned = plan_copy(_column(name), pa.schema([(name, kind)]))
    nothing = pa.RecordBatch.from_arrays([pa.array([None], kind)], names=[name])
    encoder = encoder_of(planned)
    sent = encoder.begin() + encoder.write(_fit(planned, nothing).batch) + encoder.end()
    assert sent == ONE_NULL


@pytest.mark.parametrize(("name", "kind"), UNFITTING, ids=str)
def test_a_type_that_does_not_fit_is_refused(name, kind):
    assert f"column {name!r} is {kind}" in _refusal(_column(name), pa.schema([(name, kind)]))


# A column, and a value of a fitting type that the column cannot hold whole.
LOSSY = {
    "overflow of smallint": ("small", pa.array([2**15], pa.int64())),
    "overflow of integer": ("whole", pa.array([2**31], pa.int64())),
    "overflow of bigint": ("big", pa.array([2**63], pa.uint64())),
    "lost decimal digits": ("money", pa.array([Decimal("1.005")], pa.decimal128(15, 3))),
    "too many digits": ("money", pa.array([Decimal(10) ** 14], pa.decimal128(18, 0))),
    "lost nanoseconds": ("moment", pa.array([1], pa.timestamp("ns", "UTC"))),
    "a null character": ("words", pa.array(["a\0b"])),
    "a null character among large texts": ("words", pa.array(["", "a\0b"], pa.large_string()).slice(1)),
    "lost nanoseconds of a duration": ("lapse", pa.array([1], pa.duration("ns"))),
}


@pytest.mark.parametrize("case", LOSSY)
def test_a_value_that_would_be_cut_is_refused_by_record_and_column(case):
    name, values = LOSSY[case]
    planned = plan_copy(_column(name), pa.schema([(name, values.type)]))
    whole = pa.concat_arrays([pa.nulls(2, values.type), values, pa.nulls(1, values.type)])
    found = _fit(planned, pa.RecordBatch.from_arrays([whole], names=[name]))
    ((number, reason, *_),) = found.broken
    assert (number, list(found.numbers), found.batch.num_rows) == (3, [1, 2, 4], 3)
    assert reason.startswith("a value that does not fit ")


def test_the_refused_value_is_in_no_reason():
    planned = plan_copy(_column("whole"), pa.schema([("whole", pa.int64())]))
    found = _fit(planned, pa.RecordBatch.from_arrays([pa.array([7357735773])], names=["whole"]))
    assert "7357735773" not in found.broken[0].reason
    assert found.broken[0].fields == {"whole": "7357735773"}


@pytest.mark.parametrize(("wide", "kind"), [(Numeric(50, 2), pa.decimal256(50, 2)), (Numeric(), pa.decimal256(76, 10))])
def test_more_digits_than_can_be_encoded_are_refused(wide, kind):
    table = Table("t", MetaData(), Column("a", wide))
    assert "column 'a' is decimal" in _refusal(table, pa.schema([("a", kind)]))
