"""What an NDJSON file's records are, which are broken, and how they are numbered."""

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dal.copy.records import CHUNK_ROWS
from dal.copy.text import inputs, open_ndjson
from dal.copy.text.json_lines import fields_of
from dal.errors import CopyError
from tests.copy_texts import ndjson

BLOCKS = [1, 2, 7, 1 << 20]


@pytest.fixture(params=BLOCKS, autouse=True)
def block_bytes(request, monkeypatch):
    """Read every file in blocks of several sizes."""
    monkeypatch.setattr(inputs, "BLOCK_BYTES", request.param)


def test_values_become_the_texts_that_postgresql_takes():
    line = r'{"s":"é\"\n","i":123456789012345678901234567890,"f":-0.10e+5,"t":true,"n":null,"e":""}'
    assert ndjson(line.encode())[0] == {1: ('é"\n', "123456789012345678901234567890", "-0.10e+5", "true", None, "")}


def test_arrays_and_objects_are_given_as_they_are_written():
    line = b' { "a" : [1.50, {"x": 1, "x": 2}, "\\u0000"] , "b" :{ } ,"c":false, "d" : "[" }\r'
    assert ndjson(line)[0] == {1: ('[1.50, {"x": 1, "x": 2}, "\\u0000"]', "{ }", "false", "[")}


def test_later_objects_may_lack_keys_and_have_them_in_any_order():
    assert ndjson(b'{"a":1,"b":2}\n{"b":3,"a":4}\n{"b":5}\n{}')[0] == {
        1: ("1", "2"),
        2: ("4", "3"),
        3: (None, "5"),
        4: (None, None),
    }


BROKEN = {
    '{"a":1': "no JSON: Expecting ',' delimiter at character 7",
    '{"a":1} x': "no JSON: something follows the value at character 8",
    '{"a":NaN}': "no JSON: NaN is none of its numbers",
    "[1]": "JSON that is no object",
    "1": "JSON that is no object",
    '{"a":1,"b":2,"a":3}': "the key 'a' more than once",
    '{"a":1,"c":2}': "a key 'c' that the first object has not",
    '{"a":"\\u0000"}': "a NUL character, which no text in PostgreSQL can have",
    '{"a":"\\ud800"}': "half of a surrogate pair, which is no text",
    '{"a":"\t"}': "no JSON: Invalid control character at at character 7",
    '{"a":' + "[" * 100_000: "JSON that is nested too deeply",
}


@pytest.mark.parametrize("line", BROKEN, ids=lambda line: line[:20])
def test_a_broken_line_keeps_its_number_and_says_why(line):
    whole, broken = ndjson(f'{{"a":0,"b":0}}\n\n{line}\n \r\n{{"a":2}}\n'.encode())
    assert whole == {1: ("0", "0"), 3: ("2", None)}
    assert (broken[2].reason, broken[2].line) == (BROKEN[line], line)


def test_a_surrogate_pair_is_its_character():
    assert ndjson(b'{"a":"\\ud83d\\ude00"}')[0] == {1: ("😀",)}


def test_bytes_that_are_no_text_break_their_line_alone():
    whole, broken = ndjson(b'\xef\xbb\xbf{"a":"1"}\n{"a":"\xff"}\n{"a":"3"}')
    assert whole == {1: ("1",), 3: ("3",)}
    assert (broken[2].reason, broken[2].line) == ("bytes that are no utf-8", '{"a":"\ufffd"}')


def test_broken_lines_may_stand_before_the_first_object():
    whole, broken = ndjson(b'x\n{"a":1}\n')
    assert (whole, list(broken)) == ({2: ("1",)}, [1])


def test_lines_are_numbered_over_all_files():
    assert ndjson([b'{"a":1,"b":1}\n', b"", b'x\n{"b":2}'])[0] == {1: ("1", "1"), 3: (None, "2")}


def test_only_the_columns_asked_for_are_given_in_their_order():
    assert ndjson(b'{"a":1,"b":2,"c":3}', columns=["c", "a"])[0] == {1: ("3", "1")}


@pytest.mark.parametrize(
    ("data", "message"), [(b"\n", "there are no lines"), (b"[]\n", "line 1 has JSON that is no obj")]
)
def test_without_an_object_there_are_no_names(data, message):
    with pytest.raises(CopyError, match=f"no JSON object names the columns: {message}"):
        ndjson(data)


def test_a_line_longer_than_is_allowed_is_told(monkeypatch):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", min(inputs.BLOCK_BYTES, 16))
    monkeypatch.setattr(inputs, "RECORD_BYTES", 40)
    with pytest.raises(CopyError, match="record 2, in the stream, is longer than 40 bytes"):
        ndjson(b'{"a":1}\n' + b"x" * 400)


def test_the_name_in_dates_must_be_one_of_the_first_object():
    with (
        pytest.raises(CopyError, match="dates has 'x', of which the first object has no column; it has 'a'"),
        open_ndjson([io.BytesIO(b'{"a":1}')], {"x": "%d"}),
    ):
        pass
    with open_ndjson([io.BytesIO(b'{"a":1}')], {"a": "%d"}) as records:
        assert (records.formats, records.is_text) == ({"a": ("%d",)}, True)


def test_the_first_object_must_come_soon():
    with pytest.raises(CopyError, match="no JSON object names the columns: line 8192 has no JSON"):
        ndjson(b"x\n" * CHUNK_ROWS + b'{"a":1}\n' if inputs.BLOCK_BYTES <= 2 else b"x\n" * CHUNK_ROWS)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=5), st.booleans())
def test_every_object_is_read_back(value, is_ascii):
    line = json.dumps(value, ensure_ascii=is_ascii)
    if "\\u0000" in line:
        return
    for name, text in fields_of(line).items():
        if isinstance(value[name], str) or value[name] is None:
            assert text == value[name]
        else:
            assert text == json.dumps(value[name], ensure_ascii=is_ascii)
