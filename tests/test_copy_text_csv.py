"""What a CSV file's records are, which are broken, and how they are numbered."""

import codecs
import io

import pyarrow as pa
import pytest

from dal.copy.text import Csv, inputs, open_csv
from dal.errors import CopyError
from tests.copy_texts import csv

BLOCKS = [1, 2, 3, 5, 8, 13, 1 << 20]


@pytest.fixture(params=BLOCKS, autouse=True)
def block_bytes(request, monkeypatch):
    """Read every file in blocks of several sizes."""
    monkeypatch.setattr(inputs, "BLOCK_BYTES", request.param)


def _reasons(broken):
    return {number: one.reason for number, one in broken.items()}


def test_ragged_records_keep_their_numbers_and_lines():
    whole, broken = csv(b'a,b\n1\n2,"x\ny"\r\n3,3,"3\n"\n4,4\r\n\r\n5')
    assert whole == {2: ("2", "x\ny"), 4: ("4", "4")}
    assert _reasons(broken) == {n: f"{fields} fields instead of 2" for n, fields in [(1, 1), (3, 3), (5, 1)]}
    assert [one.line for one in broken.values()] == ["1", '3,3,"3\n"', "5"]
    assert {one.fields for one in broken.values()} == {None}


def test_empty_lines_are_no_records():
    assert csv(b"\n\r\na,b\n\n1,2\r\n\r\n\n3,4\n\n") == ({1: ("1", "2"), 2: ("3", "4")}, {})


def test_a_line_of_spaces_is_a_record():
    assert _reasons(csv(b"a,b\n  \n1,2\n")[1]) == {1: "1 fields instead of 2"}


def test_an_empty_line_of_one_column_is_a_null():
    assert csv(b'a\r\n\r\nx\n\n""\n')[0] == {1: (None,), 2: ("x",), 3: (None,), 4: ("",)}


def test_lines_may_end_with_a_carriage_return_alone():
    assert csv(b'a,b\r1,"2\r3"\r4,5')[0] == {1: ("1", "2\r3"), 2: ("4", "5")}


def test_an_empty_field_is_null_and_an_empty_quoted_one_is_not():
    assert csv(b'a,b,c\n,"",x\n')[0] == {1: (None, "", "x")}


def test_null_markers_count_unquoted_only():
    form = Csv(null=["NULL", "\\N"])
    assert csv(b'a,b,c\nNULL,"NULL",\n\\N,"\\N",x\n', form)[0] == {1: (None, "NULL", ""), 2: (None, "\\N", "x")}


def test_without_a_null_marker_nothing_is_null():
    assert csv(b"a,b\n,x\n", Csv(null=()))[0] == {1: ("", "x")}


def test_an_escape_counts_within_quotes_and_before_a_quote_or_itself():
    data = rb'"a","b"' + b"\n" + rb'\N,"\"q\" \\ \n"' + b"\n" + rb'"a\"b","\\"' + b"\n"
    assert csv(data, Csv(escape="\\"))[0] == {1: ("\\N", '"q" \\ \\n'), 2: ('a"b', "\\")}


def test_a_ragged_record_with_an_escape_is_shown_as_it_is_written():
    _, broken = csv(b'a,b\n\n"x\\"y"\n"\\\\",1\n', Csv(escape="\\"))
    assert {number: one.line for number, one in broken.items()} == {1: '"x\\"y"'}


def test_what_follows_a_closing_quote_is_text_with_any_escape():
    for escape in (None, "\\"):
        assert csv(b'a,b\n"x"y"z,5" disk\n', Csv(escape=escape))[0] == {1: ('xy"z', '5" disk')}


def test_what_follows_a_closing_quote_is_text_behind_an_escape():
    assert csv(b'a,b\n"x\\"y"z"\\,"" \n', Csv(escape="\\"))[0] == {1: ('x"yz"\\', " ")}


def test_no_line_of_the_file_hides_an_open_quote():
    whole, broken = csv(b'a,b\n\x1e\n1,"2\n')
    assert not whole
    assert _reasons(broken) == {1: "1 fields instead of 2", 2: "a quote that is not closed at the end of the stream"}


@pytest.mark.parametrize("escape", [None, "\\"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_quote_open_at_the_end_is_a_broken_record(escape, end):
    whole, broken = csv(b'a,b\n1,2\n3,"4\n5,6' + end, Csv(escape=escape))
    assert whole == {1: ("1", "2")}
    assert broken[2].line == '3,"4\n5,6'
    assert broken[2].reason == "a quote that is not closed at the end of the stream"


def test_an_open_quote_of_one_file_leaves_the_next_alone():
    whole, broken = csv([b'a,b\n1,"2\n', b"a,b\n3,4\n"])
    assert (list(broken), whole) == ([1], {2: ("3", "4")})


def test_a_record_longer_than_is_allowed_is_told(monkeypatch):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", min(inputs.BLOCK_BYTES, 16))
    monkeypatch.setattr(inputs, "RECORD_BYTES", 40)
    with pytest.raises(CopyError, match=r"record 2, in the stream, is longer than 40 bytes"):
        csv(b'a,b\n1,2\n3,"' + b"4\n" * 200)


def test_bytes_that_are_no_text_break_their_record_alone():
    whole, broken = csv(b"a,b\n1,\xc3\xa9\n2,\xe9t\xe9\n\xff\n4,5\n")
    assert whole == {1: ("1", "é"), 4: ("4", "5")}
    assert broken[2].reason == "bytes that are no utf-8, in column 'b'"
    assert (broken[2].fields, broken[2].column) == ({"a": "2", "b": "\ufffdt\ufffd"}, "b")
    assert (broken[3].reason, broken[3].line) == ("1 fields instead of 2", "\ufffd")


def test_a_nul_character_breaks_its_record_alone():
    whole, broken = csv(b"a,b\n1,\0\n2,x\n")
    assert whole == {2: ("2", "x")}
    assert broken[1].reason == "a NUL character, which no text in PostgreSQL can have, in column 'b'"


def test_unfit_texts_between_ragged_records_have_their_own_numbers():
    whole, broken = csv(b"a,b\n1\n2,\0\n3,3,3\n4,\xff\n5,5\n6\n")
    assert whole == {5: ("5", "5")}
    assert [one.column for one in broken.values()] == [None, "b", None, "b", None]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis"])
def test_every_encoding_is_read_and_its_mark_dropped(encoding):
    text = "näme,b\r\nü,2\r\n" if encoding == "cp1252" else "名,b\r\n前,2\r\n"
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else b""
    _, broken = csv(data := mark + text.encode(encoding), form := Csv(encoding=encoding))
    assert not broken
    assert list(csv(data, form)[0].values()) == [tuple(text.splitlines()[1].split(","))]


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("cp1252", b"a,b\n1,\x81\n2,\xe4\n"),
        ("ascii", b"a,b\n1,\xc3\xa9\n2,x\n"),
        ("utf-16-le", "a,b\n1,".encode("utf-16-le") + b"\x00\xd8" + "\n2,x\n".encode("utf-16-le")),
    ],
)
def test_bytes_that_are_no_text_of_another_encoding_break_their_record(encoding, data):
    whole, broken = csv(data, Csv(encoding=encoding))
    assert list(whole) == [2]
    assert broken[1].reason == f"bytes that are no {encoding}, in column 'b'"


def test_a_byte_order_mark_within_a_file_is_text():
    assert csv("\ufeffa,b\n\ufeff1,2\n\ufeff3,4\n".encode())[0] == {1: ("\ufeff1", "2"), 2: ("\ufeff3", "4")}


def test_only_the_columns_asked_for_are_given_in_their_order():
    assert csv(b"a,b,c\n1,2,3\n4,5\n", columns=["c", "a"])[0] == {1: ("3", "1")}


def test_names_may_be_quoted_and_hold_lines():
    with open_csv(_streams(b'"a\nb","c""d",e f\n')) as records:
        assert records.schema == pa.schema([("a\nb", pa.string()), ('c"d', pa.string()), ("e f", pa.string())])
        assert records.is_text


def test_a_list_of_names_stands_for_the_first_line():
    assert csv(b"1,2\n", Csv(header=["x", "y"]))[0] == {1: ("1", "2")}


def test_a_file_without_records_has_none():
    assert csv(b"a,b") == csv(b"", Csv(header=["x"])) == ({}, {})


def test_records_are_numbered_over_all_files():
    whole, broken = csv([b"a,b\n1,1\n2\n", b"a,b", b"b,a\n3,4\n"])
    assert whole == {1: ("1", "1"), 3: ("4", "3")}
    assert list(broken) == [2]


REFUSED_FILES = {
    "others": (
        [b"a,b\n", b"a,c\n"],
        r"has other columns than the stream: it lacks 'b' and has 'c' more\. Load it apart",
    ),
    "fewer": ([b"a,b\n", b"a\n"], "it lacks 'b'"),
    "twice": ([b"a,b,a\n"], "the first line of the stream names 'a' more than once"),
    "empty": ([b"\n\n"], r"the stream has no line of names: give them as Csv\(header=\[...\]\)"),
    "second empty": ([b"a\n", b""], "the stream has no line of names"),
    "no text": ([b"\xff\xfea\0,\0b\0\n\0"], "the first line of the stream is no utf-8: give the file's encoding"),
    "open quote": ([b'"a,b\n1,2\n'], "the stream has no line of names"),
}


@pytest.mark.parametrize("kind", REFUSED_FILES)
def test_a_file_that_cannot_be_read_is_told_in_one_line(kind):
    data, message = REFUSED_FILES[kind]
    with pytest.raises(CopyError, match=message) as caught:
        csv(data)
    assert "\n" not in str(caught.value)


def test_the_name_in_dates_must_be_a_column():
    with pytest.raises(CopyError, match="dates has 'x', of which the stream has no column; it has 'a', 'b'"):
        csv(b"a,b\n", Csv(dates={"x": "%d"}))
    with open_csv(_streams(b"a,b\n"), Csv(dates={"a": "%d", "b": ["%d", "%m"]})) as records:
        assert records.formats == {"a": ("%d",), "b": ("%d", "%m")}


REFUSED_FORMS = {
    "long delimiter": ({"delimiter": ",,"}, "delimiter is ',,': give one ASCII character"),
    "no ASCII": ({"quote": "«"}, "quote is '«'"),
    "line's end": ({"escape": "\n"}, r"escape is '\\n'"),
    "no text": ({"delimiter": 1}, "delimiter is 1"),
    "quote as delimiter": ({"delimiter": '"'}, "the delimiter '\"' is the quote or the escape, too"),
    "no header": ({"header": False}, "header is False: give True"),
    "one name": ({"header": "a"}, "header is 'a'"),
    "no names": ({"header": []}, "header has no names"),
    "a name that is none": ({"header": ["a", 1]}, "some that are no text"),
    "names twice": ({"header": ["a", "b", "a"]}, "header names 'a' more than once"),
    "delimiter in null": ({"null": ["", "a,b"]}, "null has the delimiter in 'a,b'"),
    "quote in null": ({"null": '""'}, "null has the quote"),
    "null of no text": ({"null": [None]}, r"null is \[None\]: give a text or several"),
    "null of nothing": ({"null": None}, "null is None"),
    "header of nothing": ({"header": None}, "header is None"),
    "dates of nothing": ({"dates": "%d"}, "dates is '%d': give the formats of each column by its name"),
    "encoding": ({"encoding": "utf-9"}, "'utf-9' is no text encoding"),
    "codec": ({"encoding": "base64"}, "'base64' is no text encoding"),
    "no formats": ({"dates": {"a": []}}, "dates has no format for 'a'"),
    "no format": ({"dates": {"a": ""}}, "dates has no format for 'a'"),
    "format of no text": ({"dates": {"a": [1]}}, r"dates\['a'\] is \[1\]"),
}


@pytest.mark.parametrize("kind", REFUSED_FORMS)
def test_a_form_of_no_file_is_told_in_one_line(kind):
    values, message = REFUSED_FORMS[kind]
    with pytest.raises(CopyError, match=message) as caught:
        Csv(**values)
    assert "\n" not in str(caught.value)


def _streams(data):

    return [io.BytesIO(data)]
