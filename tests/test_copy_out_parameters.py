"""The arguments of a statement that is copied out are what they are elsewhere, and nothing else in its text is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Time,
    Uuid,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from dal import Database, DatabaseConfig
from dal.copy import copy_batches, copy_out
from dal.copy.out.literals import replaced
from dal.errors import CopyError, DataException
from dal.telemetry import StatementLog
from tests.models import Everything, Mood
from tests.test_copy_out_round_trip import ODD_SETTINGS
from tests.test_copy_round_trip import CHARACTERS

VALUES = {
    "text": (Text(), "it's \\ \"$1\" $$ -- /* \n \\'; DROP TABLE account; --"),
    "number": (Numeric(), Decimal("-12345678901234567890.000000000000000001")),
    "float": (Float(53), 0.1 + 0.2),
    "day": (Date(), date(2026, 11, 3)),
    "moment": (DateTime(timezone=True), datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)),
    "wall clock": (DateTime(timezone=False), datetime(2026, 3, 4, 5, 6, 7, 890123)),  # noqa: DTZ001 # it has none
    "hour": (Time(), time(5, 6, 7, 890123)),
    "lapse": (Interval(), -timedelta(days=3, hours=5, microseconds=7)),
    "key": (Uuid(), UUID(int=7)),
    "raw": (LargeBinary(), b"\x00\\'\xff"),
    "json": (JSONB(), {"it's": ["\\", None, "$1"]}),
    "list": (ARRAY(Text), ["a'b", '"', "\\", "{,}", None, ""]),
    "enum": (Enum(Mood, name="mood"), Mood.sad),
    "floats": (ARRAY(Float(53)), [0.1 + 0.2, -1e-300]),
    "days": (ARRAY(Date), [date(2026, 11, 3)]),
}


@pytest.fixture(params=["", "ISO", "odd", "escaping"])
async def each(request, database_url):
    """Lend databases whose settings say otherwise what a text means."""
    some = {"odd": ODD_SETTINGS, "escaping": {"standard_conforming_strings": "off", "escape_string_warning": "off"}}
    config = DatabaseConfig(url=database_url, server_settings=some.get(request.param, {}))
    async with Database(config) as database:
        yield database


async def _only(db: Database, statement) -> object:
    async with copy_batches(db, statement) as batches:
        [value] = [value async for batch in batches for value in batch.column(0).to_pylist()]
    return value


@pytest.mark.parametrize("kind", VALUES)
async def test_an_argument_is_the_value_that_the_driver_would_send(each, kind):
    type_, value = VALUES[kind]
    # What the server itself takes the driver's value for, beside what it takes the literal for.
    async with each.begin() as session:
        made = select(literal(value, type_).label("it"))
        await session.execute(text("CREATE TABLE given AS SELECT NULL::text AS it LIMIT 0"))
        await session.execute(
            text("ALTER TABLE given ALTER it TYPE " + type_.compile(each.engine.dialect) + " USING NULL")
        )
        given_ = Table("given", MetaData(), Column("it", type_))
        await session.execute(given_.insert().from_select(["it"], made))
    same = select(func.count()).select_from(given_).where(given_.c.it == literal(value, type_))
    assert await _only(each, same) == 1


@pytest.mark.parametrize("kind", sorted(VALUES.keys() - {"json"}))  # whose None is JSON's null
async def test_none_is_null(db, kind):
    type_ = VALUES[kind][0]
    assert await _only(db, select(literal(None, type_).is_(None).label("it"))) is True


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.text(CHARACTERS | st.sampled_from("'\\$1\"-/*;")))
async def test_a_text_is_itself(db, value):
    assert await _only(db, select(literal(value, Text).label("it"))) == value


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.floats(allow_nan=False))
async def test_a_float_keeps_all_its_digits(db, value):
    assert await _only(db, select(literal(value, Float(53)).label("it"))) == value


async def test_lists_of_any_length_go_into_in(db, outside):
    await outside.execute("INSERT INTO everything (id) SELECT generate_series(1, 3000)")
    statement = select(func.count()).where(Everything.id.in_(range(2, 2502)))
    assert await _only(db, statement) == 2500


async def test_names_and_texts_with_dollars_are_left_as_they_are(db):
    table = select(literal_column("1").label("price$1"), literal_column("'it''s $1'").label('$1 "x"')).subquery()
    statement = select(table).where(table.c["price$1"] == 1, literal_column("'$2'") != bindparam("x", "$1", Text))
    async with copy_batches(db, statement) as batches:
        assert [batch.to_pylist() async for batch in batches] == [[{"price$1": 1, '$1 "x"': "it's $1"}]]


async def test_the_settings_are_as_they_were_afterwards(database_url):
    config = DatabaseConfig(url=database_url, server_settings=ODD_SETTINGS)
    names = list(ODD_SETTINGS)
    settings_ = select(*(func.current_setting(name).label(name) for name in names), literal("x").label("x"))
    async with Database(config) as odd, copy_batches(odd, settings_) as batches:
        assert [dict(list(each.items())[:-1]) async for batch in batches for each in batch.to_pylist()] == [
            ODD_SETTINGS
        ]


async def test_the_statement_in_the_log_has_no_values(db, tmp_path):
    with StatementLog() as log:
        await copy_out(db, select(literal("secret").label("it")), tmp_path / "it.csv")
    [sent] = [each for each in log if each.text.startswith("COPY")]
    assert (sent.rows, "secret" in sent.text, "$1" in sent.text) == (1, False, True)


async def test_a_server_error_does_not_tell_an_argument(db, tmp_path):
    statement = select(cast(literal("secret", Text), Integer).label("it"))
    with pytest.raises(DataException) as caught:
        await copy_out(db, statement, tmp_path / "it.csv")
    assert "secret" not in str(caught.value)


SKIPPED = [
    "'$1'",
    "'it''s $1'",
    "'\\'",
    "E'\\'$1'",
    "e'\\\\'",
    'U&"$1"',
    '"$1""$1"',
    "a$1",
    "$$ $1 ' $$",
    "$a$ $$ $1 $a$",
    "-- $1 '\n",
    "/* $1 ' */",
]


@given(st.lists(st.sampled_from([*SKIPPED, "$1", "$2", " ", "=", "::int"])))
def test_parameters_are_found_between_what_only_looks_like_them(pieces):
    put = {"$1": "('\\$2'::text)", "$2": "(NULL::int)"}
    sql = " ".join(pieces)
    assert replaced(sql, list(put.values()), is_escaping=False) == " ".join(put.get(each, each) for each in pieces)


def test_backslashes_in_plain_strings_escape_where_the_server_says_so():
    assert replaced(r"'\'$1' = $1", ["x"], is_escaping=True) == r"'\'$1' = x"
    assert replaced(r"'\' = $1", ["x"], is_escaping=False) == r"'\' = x"


def test_a_comment_in_a_comment_is_refused():
    with pytest.raises(CopyError, match="comment"):
        replaced("/* /* $1 */ $1 */", ["x"], is_escaping=False)
