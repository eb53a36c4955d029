"""Orderings and bookmarks, without a server: what they are made of, and what is refused before anything is sent."""

from __future__ import annotations

import subprocess
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    Date,
    Float,
    Integer,
    cast,
    column,
    desc,
    func,
    literal,
    select,
    text,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSON, MONEY, REGCLASS, TSTZRANGE, dialect
from sqlalchemy.orm import aliased

from dal.errors import KeysetError
from dal.keyset import Count, Counting, Ordering, Window, bookmark
from dal.telemetry import StatementLog
from tests.page_models import Beast, Hound, Keyed, Note, Reading, Readings, Tom

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
BY_LEVEL = Ordering.of(Reading, [Reading.level, Reading.word.desc()])
SIGNED = Ordering.of(Reading, [Reading.level, Reading.word.desc()], keys=[KEY])
VALUES = st.tuples(st.none() | st.text(), st.none() | st.text(), st.text()).map(
    lambda values: [value if value is None else value.replace("\0", "") for value in values]
)


def bookmark_of(ordering, *values):
    return Window.on(ordering, 1).page([None], [values or ("7", None, "1")]).last


def read(ordering, text):
    return Window.on(ordering, 1, after=text).values


def attributes(ordering):
    return [(each.attribute, each.is_descending) for each in ordering.elements]


def sql(statement):
    return str(statement.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))


# Orderings


@pytest.mark.parametrize(
    ("model", "order_by", "expected"),
    [
        (Reading, (), [("id", False)]),
        (Reading, Reading.whole.desc(), [("whole", True), ("id", True)]),
        (Reading, [Reading.whole.desc(), Reading.level], [("whole", True), ("level", False), ("id", False)]),
        (Reading, [Reading.id.desc(), Reading.whole], [("id", True)]),
        (Reading, [Reading.whole, Reading.whole.desc()], [("whole", False), ("id", True)]),
        (Keyed, Keyed.second.desc(), [("second", True), ("first", True)]),
        (Keyed, [Keyed.two, Keyed.one.desc(), Keyed.low], [("two", False), ("one", True)]),
        (Keyed, [Keyed.one, Keyed.login], [("one", False), ("login", False)]),
        (Keyed, Keyed.part, [("part", False), ("first", False), ("second", False)]),
        (Keyed, Keyed.mail, [("mail", False), ("first", False), ("second", False)]),
        (Keyed, Keyed.late, [("late", False), ("first", False), ("second", False)]),
        (Keyed, Keyed.low, [("low", False), ("first", False), ("second", False)]),
        (Keyed, func.lower(Keyed.login), [(None, False), ("first", False), ("second", False)]),
        (Tom, [Tom.lives, Beast.name], [("lives", False), ("name", False), ("id", False)]),
        (Tom, Beast.id.desc(), [("id", True)]),
        (Tom, Tom.id, [("id", False)]),
        (Hound, Hound.name, [("name", False), ("id", False)]),
    ],
)
def test_the_primary_key_is_appended_unless_the_ordering_is_unique(model, order_by, expected):
    assert attributes(Ordering.of(model, order_by)) == expected


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ("whole", "is no expression"),
        (5, "is no expression"),
        (text("whole"), "is no expression"),
        (Reading, "is no expression"),
        (select(Reading.whole), "is no expression"),
        (desc("whole"), "no type"),
        (Reading.notes, "is a relationship"),
        (tuple_(Reading.id, Reading.whole), "several values"),
        (func.length(Reading.word), r"no type .* type_coerce\(\)"),
        (func.lower(Reading.whole), "no type"),
        (column("whole"), "no type"),
        (Note.id, "another table than Reading: order by a scalar subquery"),
        (func.lower(aliased(Reading).word), "another table"),
        (cast(Reading.word, MONEY), "cast it to Numeric"),
        (cast(Reading.word, REGCLASS), "cast it to OID"),
        (cast(Reading.word, JSON), "json, which has no order"),
        (cast(Reading.word, TSTZRANGE), "order by its bounds"),
        (cast(Reading.word, ARRAY(Float)), "array of dates or floats"),
        (cast(Reading.word, ARRAY(Date)), "array of dates or floats"),
    ],
)
def test_what_has_no_place_in_a_row_is_refused(element, said):
    with pytest.raises(KeysetError, match=said):
        Ordering.of(Reading, [element])


def test_no_value_is_shown_of_what_is_refused():
    with pytest.raises(KeysetError) as caught:
        Ordering.of(Reading, func.replace(Reading.word, "73577357", ""))
    assert "73577357" not in str(caught.value)


def test_an_ordering_of_another_class_is_refused():
    with pytest.raises(KeysetError, match="is of Reading, and the page is of Note"):
        Ordering.for_page(Note, BY_LEVEL)


def test_an_ordering_of_a_class_above_is_taken():
    above = Ordering.of(Beast, Beast.name)
    assert Ordering.for_page(Tom, above) is above


# Conditions


def condition(order_by, *values, before=False):
    ordering = Ordering.of(Reading, order_by)
    place = bookmark_of(ordering, *values)
    window = Window.on(ordering, 1, **{"before" if before else "after": place})
    found = sql(window.of(select(Reading.id))).replace("page_reading.", "")
    return found.partition("WHERE ")[2].partition(" ORDER BY")[0]


def test_one_direction_without_nulls_is_a_comparison_of_rows():
    found = condition([Reading.whole.desc(), Reading.id.desc()], "5", "1")
    assert found == "(whole, id) < (CAST(CAST('5' AS TEXT) AS BIGINT), CAST(CAST('1' AS TEXT) AS BIGINT))"


def test_mixed_directions_are_bounded_by_the_first_element():
    found = condition([Reading.whole, Reading.id.desc()], "5", "1")
    assert found.startswith("whole >= CAST(CAST('5' AS TEXT) AS BIGINT) AND (whole > ")


def test_nulls_that_lie_behind_leave_the_bound():
    assert condition([Reading.level.nulls_first()], "5", "1").startswith("level >= ")


def test_nulls_that_lie_beyond_are_an_alternative():
    found = condition([Reading.level], "5", "1")
    assert "level >= " not in found
    assert "OR level IS NOT DISTINCT FROM NULL OR" in found


def test_beyond_null_at_the_end_is_null_only():
    assert condition([Reading.level], None, "1").startswith("level IS NOT DISTINCT FROM NULL AND id > ")


# Bookmarks


@given(VALUES)
def test_a_bookmark_holds_its_values_and_needs_no_quoting(values):
    for ordering in (BY_LEVEL, SIGNED):
        made = bookmark_of(ordering, *values)
        assert read(ordering, made) == tuple(values)
        assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("ordering", [BY_LEVEL, SIGNED])
def test_a_bookmark_cut_anywhere_is_refused(ordering):
    made = bookmark_of(ordering)
    for length in range(len(made)):
        with pytest.raises(KeysetError):
            read(ordering, made[:length])


@pytest.mark.parametrize("ordering", [BY_LEVEL, SIGNED])
def test_a_bookmark_with_any_bit_flipped_is_refused(ordering):
    made = bookmark_of(ordering)
    for place in range(len(made)):
        for bit in range(8):
            flipped = made[:place] + chr(ord(made[place]) ^ 1 << bit) + made[place + 1 :]
            with pytest.raises(KeysetError):
                read(ordering, flipped)


@given(st.text() | st.binary().map(lambda raw: urlsafe_b64encode(raw).decode().rstrip("=")))
def test_garbage_is_refused(garbage):
    for ordering in (BY_LEVEL, SIGNED):
        with pytest.raises(KeysetError):
            read(ordering, garbage)


@pytest.mark.parametrize("added", ["=", "A", " ", "\n", "ä", "\0"])
def test_a_bookmark_with_something_added_is_refused(added):
    with pytest.raises(KeysetError):
        read(BY_LEVEL, bookmark_of(BY_LEVEL) + added)


@pytest.mark.parametrize(
    "other",
    [
        Ordering.of(Reading, [Reading.level.desc(), Reading.word.desc()]),
        Ordering.of(Reading, [Reading.level.nulls_first(), Reading.word.desc()]),
        Ordering.of(Reading, [Reading.level, Reading.word]),
        Ordering.of(Reading, [Reading.word.desc(), Reading.level]),
        Ordering.of(Reading, [func.coalesce(Reading.level, 1), Reading.word.desc()]),
        Ordering.of(Reading, [Reading.level]),
        Ordering.of(Note, [Note.reading_id]),
        Ordering.of(Reading, [type_coerce(Reading.level, Float), Reading.word.desc()]),
    ],
)
def test_a_bookmark_of_another_ordering_is_refused(other):
    with pytest.raises(KeysetError, match="another ordering, or for another class"):
        read(other, bookmark_of(BY_LEVEL))


def test_values_in_expressions_tell_orderings_apart():
    one, two = (Ordering.of(Reading, func.coalesce(Reading.level, each)) for each in (1, 2))
    with pytest.raises(KeysetError, match="another ordering"):
        read(two, bookmark_of(one, "1", "1"))


def test_a_bookmark_of_another_class_of_the_table_is_refused():
    with pytest.raises(KeysetError, match="another class"):
        read(Ordering.of(Hound, Hound.name), bookmark_of(Ordering.of(Beast, Beast.name), "a", "1"))


def test_a_bookmark_of_another_version_is_refused():
    raw = urlsafe_b64decode(bookmark_of(BY_LEVEL) + "==")
    with pytest.raises(KeysetError, match="another version"):
        read(BY_LEVEL, urlsafe_b64encode(b"\x02" + raw[1:]).decode().rstrip("="))


def test_a_bookmark_by_another_key_is_refused():
    with pytest.raises(KeysetError, match="signed by none of 1 keys"):
        read(Ordering.of(Reading, [Reading.level, Reading.word.desc()], keys=[OTHER_KEY]), bookmark_of(SIGNED))


def test_a_bookmark_without_a_signature_is_refused_where_there_are_keys():
    with pytest.raises(KeysetError, match="signed by none"):
        read(SIGNED, bookmark_of(BY_LEVEL))
    with pytest.raises(KeysetError, match="no keys="):
        read(BY_LEVEL, bookmark_of(SIGNED))


def test_every_key_verifies_and_the_first_signs():
    rotated = Ordering.of(Reading, [Reading.level, Reading.word.desc()], keys=[OTHER_KEY, KEY])
    assert read(rotated, bookmark_of(SIGNED)) == ("7", None, "1")
    with pytest.raises(KeysetError):
        read(SIGNED, bookmark_of(rotated))


@pytest.mark.parametrize("keys", [b"k" * 32, [b""], [b"k" * 15], [KEY, b"k" * 65]])
def test_keys_that_are_none_are_refused(keys):
    with pytest.raises(KeysetError, match=r"16 to 64 bytes long: secrets\.token_bytes"):
        Ordering.of(Reading, keys=keys)


@pytest.mark.parametrize("values", [("7",), ("7", None, "1", "2"), (), ("7", None, None)])
def test_a_forged_bookmark_of_other_values_is_refused(values):
    with pytest.raises(KeysetError):
        read(BY_LEVEL, bookmark.encoded(values, BY_LEVEL.digest, ()))


def test_a_forged_bookmark_that_is_no_text_is_refused():
    body = bookmark.VERSION + BY_LEVEL.digest + b"\0=7\0\0=\xff"
    with pytest.raises(KeysetError, match="no text"):
        read(BY_LEVEL, bookmark._in_base64(body + bookmark._sum(body)))


def test_a_bookmark_is_the_same_in_every_process():
    code = (
        "from tests.test_keyset_pure import *; "
        "print(bookmark_of(Ordering.of(Reading, [func.coalesce(Reading.level, 1), Reading.word], keys=[KEY])))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    ordering = Ordering.of(Reading, [func.coalesce(Reading.level, 1), Reading.word], keys=[KEY])
    assert made == [bookmark_of(ordering)] * 2


def test_null_where_the_mapping_says_never_is_an_error_and_no_endless_loop():
    with pytest.raises(KeysetError, match="a row has NULL in 'id', which is mapped as never NULL"):
        bookmark_of(BY_LEVEL, "1", "1", None)


# Windows


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(KeysetError, match=f"limit={limit}: a page has at least one row"):
        Window.on(BY_LEVEL, limit)


def test_after_and_before_at_once_are_refused():
    made = bookmark_of(BY_LEVEL)
    with pytest.raises(KeysetError, match="not both"):
        Window.on(BY_LEVEL, 1, after=made, before=made)


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 1, "after": "x"}, {"limit": 1, "before": ""}])
async def test_what_is_refused_sends_nothing(read_only, asked):
    with StatementLog() as log, pytest.raises(KeysetError):
        await Readings(read_only).page(**asked)
    assert len(log) == 0


def test_the_statements_own_order_gives_way():
    statement = Window.on(BY_LEVEL, 1).of(select(Reading.id).order_by(Reading.flag))
    assert "flag" not in sql(statement)


def test_nulls_are_named_only_where_they_stand_elsewhere_than_by_default():
    order_by = [Reading.level.nulls_last(), Reading.word.desc().nulls_first(), Reading.share.nulls_first()]
    found = sql(Window.on(Ordering.of(Reading, order_by), 1).of(select(Reading.id))).replace("page_reading.", "")
    assert "ORDER BY level ASC, word DESC, share ASC NULLS FIRST, id ASC" in found


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_a_capped_count_is_exact_up_to_its_cap(cap, rows):
    found = Counting.by(cap).count(min(rows, cap + 1))
    assert found == (Count(rows) if rows <= cap else Count(cap, "at least"))


def test_an_integer_expression_may_be_wider_than_its_type():
    wide = func.count() + literal(1, Integer)
    assert "AS BIGINT" in str(Ordering.of(Reading, wide).elements[0].value("5000000000").compile(dialect=dialect()))
