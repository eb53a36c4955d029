"""What statements have in common, whatever their literals."""

import subprocess
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dal.telemetry import fingerprint
from dal.telemetry.fingerprint import _LONGEST_KEPT, _kept

WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_$]{0,8}", fullmatch=True)
LITERALS = st.one_of(
    st.integers(min_value=0).map(str),
    st.decimals(min_value=0, max_value=1000, places=3).map(str),
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])).map(
        lambda each: "'" + each.replace("'", "''") + "'"
    ),
    st.from_regex(r"\$[1-9][0-9]{0,3}(::(INTEGER|VARCHAR\(9\)|TIMESTAMP WITH TIME ZONE|s\.kind\[\]))?", fullmatch=True),
    st.just("$tag$ it's $$ $tag$"),
    st.just(r"E'it\'s'"),
)
SPACE = st.lists(st.sampled_from([" ", "\n", "\t", "-- why\n", "/* a /* b */ c */"]), min_size=1).map("".join)


@given(st.text())
@example("IN (?)")
@example("'")
@example("/* /* */")
@example('"IN (1, 2)"')
def test_any_text_has_a_fingerprint_whose_text_has_the_same(text):
    first = fingerprint(text)
    assert fingerprint(first.text) == first


@given(st.sampled_from(["IN", "NOT IN", "in"]), st.lists(LITERALS, min_size=1, max_size=30))
def test_lists_of_any_length_are_one(operator, literals):
    text = fingerprint(f"SELECT a FROM t WHERE a {operator} ({', '.join(literals)}) AND b = 1").text
    assert text == f"SELECT a FROM t WHERE a {operator} (...) AND b = ?"


@given(st.integers(1, 30), st.integers(1, 4))
def test_lists_of_rows_of_any_length_are_one(count, width):
    row = f"({', '.join(['$1'] * width)})"
    assert fingerprint(f"(a, b) IN ({', '.join([row] * count)})").text == "(a, b) IN (...)"
    one = fingerprint(f"INSERT INTO t VALUES {row} RETURNING id")
    assert fingerprint(f"INSERT INTO t VALUES {', '.join([row] * count)} RETURNING id") == one


@given(st.lists(st.tuples(WORDS, SPACE), min_size=1), st.data())
def test_white_space_and_comments_do_not_count(parts, data):
    again = "".join(word + data.draw(SPACE) for word, _ in parts)
    assert fingerprint(again) == fingerprint("".join(word + space for word, space in parts))


@given(LITERALS, LITERALS)
def test_literals_do_not_count(one, other):
    if "::" not in one + other:
        assert fingerprint(f"SELECT {one} FROM t1") == fingerprint(f"SELECT {other} FROM t1")


@given(st.lists(WORDS, min_size=1, unique=True))
def test_names_count(words):
    assert fingerprint(" ".join(words)).text.split() == words


@given(st.text(st.sampled_from("a'\\\"$-/*\n 1(,")))
def test_a_quoted_text_is_in_no_fingerprint(text):
    quoted = "'" + text.replace("'", "''") + "secret'"
    assert "secret" not in fingerprint(f"SELECT {quoted}, 1").text


@pytest.mark.parametrize("text", ["SELECT 'secret", "SELECT $$secret", "SELECT /* secret", "SELECT E'\\' secret"])
def test_what_is_never_closed_is_in_no_fingerprint(text):
    assert "secret" not in fingerprint(text).text


def test_a_quoted_name_is_left_as_it_is():
    assert fingerprint("SELECT \"a  b, 'c' IN (1, 2)\" FROM t").text == "SELECT \"a  b, 'c' IN (1, 2)\" FROM t"


def test_it_is_the_same_in_every_process():
    code = "from dal.telemetry import fingerprint; print(fingerprint('SELECT a FROM t WHERE b IN (1, 2)').hash)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()  # this Python
    assert told == fingerprint("SELECT a FROM t WHERE b IN ('x')").hash


def test_a_bounded_number_is_kept_and_no_long_one():
    _kept.cache_clear()
    for number in range(3_000):
        fingerprint(f"SELECT a{number}")
    kept = _kept.cache_info()
    fingerprint("SELECT 1" + " " * _LONGEST_KEPT)
    assert kept.currsize == kept.maxsize == 1_000
    assert _kept.cache_info() == kept


@pytest.mark.parametrize("repeated", ["&&", "a[]", "x(", ", ?", "(a) "])
@pytest.mark.parametrize("begin", ["ARRAY[1::", "IN (1::", "VALUES (1::"])
def test_a_list_without_an_end_is_passed_once(begin, repeated):
    started = time.process_time()
    fingerprint(begin + repeated * (20_000 // len(repeated)))
    assert time.process_time() - started < 5  # by trying every end it took ten times that
