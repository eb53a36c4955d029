"""Any text is loaded as what the server reads it for, or rejected where the server refuses it: of every type."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table

from dal.copy import copy_in

DIGIT = st.sampled_from("0123456789")


def _digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(DIGIT, min_size=least, max_size=most)


def _joined(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(each) if isinstance(each, str) else each for each in parts)).map("".join)


def _maybe(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.just("") | _joined(*parts)


SIGN = st.sampled_from(["", "", "-", "+"])
WHOLE = _joined(SIGN, st.sampled_from(["", "", "0x", "0", "1_0"]), _digits(0, 20))
WORDS = st.sampled_from(
    ["nan", "NaN", "-NaN", "inf", "-inf", "Infinity", "-infinity", "+inf", "epoch", "today", "x", "1e", "", " 1", "1 "]
)  # fmt: skip
EXPONENT = _maybe(st.sampled_from(["e", "E"]), SIGN, _digits(1, 3))
NUMBER = _joined(SIGN, _digits(0, 20), _maybe(".", _digits(0, 22)), EXPONENT)
# About halfway between two reals or doubles, where rounding twice is seen.
BETWEEN = st.floats(1.0, 2.0, width=32).map(lambda near: f"{near + 2**-24:.17f}"[:19] + "4478")
EDGES = st.sampled_from(
    ["1e400", "-1e400", "1e-400", "1e-60", "3.5e38", "1e-45", "7e-46", "1.4e-45", "0e999", "0.0e-999", "-0", "-0.0",
     "4.9e-324", "2e-324", "1.7976931348623159e308", "1.00000005960464478", "32768", "-32769", "2147483648",
     "9223372036854775808", "-9223372036854775808", "16777217", "9007199254740993", "1e5", "1.", ".5", ".", "1.005",
     "9999999999999.995", "0.125"]
)  # fmt: skip
NUMBERS = WHOLE | NUMBER | BETWEEN | EDGES | WORDS
TWO = st.integers(0, 69).map(lambda number: f"{number:02}")
YEAR = st.sampled_from(["0000", "0001", "1970", "2024", "9999", "12024", "24", "-0044"]) | _digits(4, 4)
MONTH = st.integers(0, 13).map(lambda number: f"{number:02}")
DAY = _joined(
    YEAR, "-", MONTH, "-", st.integers(0, 32).map(lambda number: f"{number:02}"), st.sampled_from(["", "", " BC"])
)
HOUR = st.integers(0, 25).map(lambda number: f"{number:02}")
CLOCK = _joined(HOUR, _maybe(st.sampled_from([":", ""]), TWO, _maybe(":", TWO, _maybe(".", _digits(0, 8)))))
ZONE = _maybe(
    st.sampled_from(["Z", "z", " UTC", " Europe/Berlin", "+00", "-08", "+0530", "+05:30", "+15:59", "+16:00", "+05:75"])
) | _joined(st.sampled_from(["+", "-"]), HOUR, _maybe(st.sampled_from(["", ":"]), TWO))  # fmt: skip
MOMENT = _joined(DAY, st.sampled_from([" ", "T", "t", "  "]), CLOCK, ZONE)
MOMENTS = MOMENT | DAY | _joined(DAY, ZONE) | WORDS
HEX = st.text("0123456789abcdefABCDEF", min_size=4, max_size=4)
HYPHEN = st.sampled_from(["", "-"])
KEY = _joined(HEX, *[part for _ in range(7) for part in (HYPHEN, HEX)])
CANONICAL = st.uuids().map(str)


def _bruised(texts: st.SearchStrategy[str], characters: str) -> st.SearchStrategy[str]:
    """Put a character somewhere, in the place of another or between two."""

    def put(text: str, at: int, character: str, length: int) -> str:
        at %= len(text) + 1
        return text[:at] + character + text[at + length :]

    return texts | st.builds(put, texts, st.integers(0, 40), st.sampled_from([*characters, ""]), st.integers(0, 1))


KEYS = _bruised(KEY | CANONICAL | CANONICAL.map(lambda key: f"{{{key}}}"), " -{}g\t\u0661")
FLAG = st.sampled_from(
    ["t", "tr", "true", "TRUE", "True", "tRuE", "1", "on", "o", "yes", "y", "Y", "f", "fa", "false", "0", "off", "of",
     "no", "n", "2", "", " t", "t ", "01"]
)  # fmt: skip

TYPES = {
    "smallint": _bruised(NUMBERS, " _+-x"),
    "integer": _bruised(NUMBERS, " _+-x"),
    "bigint": _bruised(NUMBERS, " _+-x"),
    "real": _bruised(NUMBERS, " _+-xe"),
    "double precision": _bruised(NUMBERS, " _+-xe"),
    "numeric(15, 2)": _bruised(NUMBERS, " _+-xe"),
    "numeric(38, 0)": _bruised(NUMBERS, " _+-xe"),
    "numeric(4, 4)": _bruised(NUMBERS, " _+-xe"),
    "numeric": _bruised(NUMBERS, " _+-xe"),
    "boolean": _bruised(FLAG, " TF"),
    "date": _bruised(MOMENTS, " :-/."),
    "timestamp": _bruised(MOMENTS, " :-/.TZ"),
    "timestamptz": _bruised(MOMENTS, " :-/.TZ"),
    "time": _bruised(CLOCK | _joined(CLOCK, ZONE) | MOMENT | WORDS, " :-/.TZ"),
    "uuid": KEYS,
}
# Reads a text, or gives NULL where it is none.
READ = """
CREATE FUNCTION read_text(given text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN CAST(given AS {kind})::text; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$
"""


@pytest.fixture
async def load(request, db, outside, tmp_path):
    """Give what loads texts, and what the server reads them for."""
    await outside.execute(f"CREATE TABLE texts (id int PRIMARY KEY, value {request.param})")
    await outside.execute(READ.format(kind=request.param))
    async with db.engine.connect() as connection:
        table = await connection.run_sync(lambda sync: Table("texts", MetaData(), autoload_with=sync))
    file = tmp_path / "texts.ndjson"

    async def both(texts):
        await outside.execute("TRUNCATE texts")
        file.write_text("".join(json.dumps({"id": n, "value": text}) + "\n" for n, text in enumerate(texts)))
        await copy_in(db, table, file, on_error="reject")
        loaded = {each["id"]: each["value"] for each in await outside.fetch("SELECT id, value::text FROM texts")}
        read = await outside.fetch(
            "SELECT n - 1, read_text(t) FROM unnest($1::text[]) WITH ORDINALITY AS x (t, n)", texts
        )
        return (
            [(text, loaded.get(n, "refused")) for n, text in enumerate(texts)],
            [(texts[n], "refused" if value is None else value) for n, value in read],
        )

    return both


@pytest.mark.parametrize(("load", "kind"), [(kind, kind) for kind in TYPES], indirect=["load"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_a_text_is_what_the_server_reads(load, kind, data):
    loaded, read = await load(data.draw(st.lists(TYPES[kind], min_size=1, max_size=40)))
    assert loaded == read


KNOWN = {
    "double precision": ["1e400", "1e-400", "-1e-400", "0e-999", "0x10", "nan", "-inf"],
    "real": ["1e-60", "1.00000005960464478", "1e39", "1e-45", "7e-46"],
    "numeric(38, 0)": ["3.5e38", "1e37", "1E2"],
    "date": ["0000-01-01", "0001-01-01"],
    "timestamp": ["0000-01-01 00:00:00", "2024-01-01 12", "2024-01-01 12:00"],
    "timestamptz": ["2024-01-01 12Z", "2024-01-01 12+05:30", "2024-01-01 12:00+18:00", "0001-01-01 00:00:00+05"],
    "time": ["12", "12:00", "24:00"],
    "uuid": ["123e4567e89b12d3a45642661417400-0", f"{'1' * 30}  ", f"{'1' * 8}-{'1' * 4}-{'1' * 20}", "1" * 32],
}


@pytest.mark.parametrize(("load", "kind"), [(kind, kind) for kind in KNOWN], indirect=["load"])
async def test_a_text_that_is_read_otherwise_elsewhere_is_what_the_server_reads(load, kind):
    for text in KNOWN[kind]:
        loaded, read = await load([text])
        assert loaded == read
    loaded, read = await load(KNOWN[kind])
    assert loaded == read
