"""Pages read on a real server: joined they are the whole, in both directions, by every ordering and type."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import case, desc, func, insert, literal, nulls_first, nulls_last, select, type_coerce
from sqlalchemy import types as sqltypes
from sqlalchemy.orm import joinedload

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import KeysetError
from dal.keyset import Count, Ordering, Window
from dal.telemetry import StatementLog
from dal.testing import assert_plan_has_no, assert_statements, assert_uses_index
from tests import page_models
from tests.page_models import VALUES, Beast, Kind, Measures, Note, Post, Posts, Reading, Readings, Tom, Toms


@pytest.fixture
async def pages(db: Database) -> Database:
    """Lend `db` with the tables for pages, all empty."""
    await page_models.create(db)
    return db


async def walk(repository, *where, forwards=True, start=None, **asked):
    """Join the pages that follow on one another, from the beginning or *start*."""
    found, pages = [], 0
    bookmark = start
    while pages < 200:
        side = {} if bookmark is None else {"after" if forwards else "before": bookmark}
        page = await repository.page(*where, **asked, **side)
        ids = [each.id for each in page.items]
        found = found + ids if forwards else ids + found
        pages += 1
        bookmark = page.next if forwards else page.previous
        if bookmark is None:
            return found, page
    raise AssertionError("the pages have no end")


async def assert_pages_are_the_whole(repository, expected, **asked):
    forwards, last = await walk(repository, **asked)
    assert forwards == expected
    if expected:
        backwards, _ = await walk(repository, forwards=False, start=last.last, **asked)
        assert backwards == expected[:-1]


# Orderings of every kind


def _directed(draw, expression):
    ordered = expression.desc() if draw(st.booleans()) else expression.asc()
    nulls = draw(st.sampled_from(["", "first", "last"]))
    return {"": ordered, "first": ordered.nulls_first(), "last": ordered.nulls_last()}[nulls]


EXPRESSIONS = [
    Reading.whole,
    Reading.level,
    Reading.word,
    Reading.share,
    Reading.flag,
    func.lower(Reading.word),
    Reading.whole + Reading.level,
    Reading.whole / 3,
    Reading.share * 0.1,
    func.coalesce(Reading.level, 1),
    case((Reading.flag, Reading.word), else_=literal("b")),
    Reading.noted,
    type_coerce(func.length(Reading.word), sqltypes.Integer),
    func.nullif(Reading.word, "a", type_=sqltypes.Text()).label("labelled"),
    Reading.word.collate("C"),
    Reading.level.is_(None),
]


@st.composite
def orderings(draw):
    """Draw what order_by takes, and the same completed by hand, for comparison."""
    chosen = draw(st.lists(st.sampled_from(range(len(EXPRESSIONS))), max_size=3, unique=True))
    elements = [_directed(draw, EXPRESSIONS[each]) for each in chosen]
    is_descending = bool(elements) and " DESC" in str(elements[-1]).rpartition(")")[2]
    return elements, [*elements, Reading.id.desc() if is_descending else Reading.id.asc()]


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "whole": st.integers(-1, 2),
            "level": st.none() | st.integers(0, 2),
            "word": st.none() | st.sampled_from(["", "a", "A", "b"]),
            "share": st.none() | st.sampled_from([0.1, 0.2, -1.5, float("inf"), float("nan")]),
            "flag": st.booleans(),
        }
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, orderings(), st.integers(1, 5))
async def test_pages_joined_are_the_unpaged_result(pages, rows, ordering, limit):
    await _fill(pages, rows)
    order_by, completed = ordering
    expected = [each.id for each in await Readings(pages).list(order_by=completed)]
    await assert_pages_are_the_whole(Readings(pages), expected, order_by=order_by, limit=limit)


async def _fill(pages, rows):
    async with pages.begin() as session:
        await session.execute(Reading.__table__.delete())
        if rows:
            await session.execute(insert(Reading), [{"id": n, **row} for n, row in enumerate(rows)])


# Every type


async def _fill_kinds(outside, column):
    values = [*VALUES[column], None, *VALUES[column][:2], None]
    type_ = await outside.fetchval(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'page_kind'::regclass "
        "AND attname = $1",
        column,
    )
    for n, value in enumerate(values):
        await outside.execute(f"INSERT INTO page_kind (id, {column}) VALUES ({n}, CAST($1::text AS {type_}))", value)


async def _expected(outside, column, ending):
    return [row["id"] for row in await outside.fetch(f"SELECT id FROM page_kind ORDER BY {column} {ending}")]


def test_every_column_has_values():
    assert set(VALUES) == {each.key for each in Kind.__table__.columns} - {"id"}


@pytest.mark.filterwarnings("ignore:Type object .*DOMAIN")  # SQLAlchemy's desc() of a column of its own DOMAIN
@pytest.mark.parametrize("column", VALUES)
async def test_pages_by_every_type_are_the_whole(pages, outside, column):
    await _fill_kinds(outside, column)
    attribute = getattr(Kind, column)
    for order_by, ending in [
        (attribute, ", id"),
        (desc(attribute), "DESC, id DESC"),
        (nulls_first(attribute), "NULLS FIRST, id"),
        ([nulls_last(desc(attribute)), Kind.id], "DESC NULLS LAST, id"),
    ]:
        expected = await _expected(outside, column, ending)
        assert await _ids(pages, order_by, 2) == expected
        assert await _ids(pages, order_by, 1) == expected


async def _ids(db, order_by, limit, others=()):
    """Walk by the window alone, as a projection does: of the rows only keys are read."""
    ordering = Ordering.of(Kind, order_by)
    found, after = [], None
    databases = [db, *others]
    while len(found) < 50:
        window = Window.on(ordering, limit, after=after)
        async with databases[len(found) % len(databases)].reading() as session:
            rows = (await session.execute(window.of(select(Kind.id)))).all()
        page = window.page([row[0] for row in rows], [row[1:] for row in rows])
        found += page.items
        after = page.next
        if after is None:
            break
    return found


ODD_SETTINGS = [
    {"DateStyle": "SQL, DMY", "IntervalStyle": "sql_standard", "extra_float_digits": "0", "TimeZone": "Europe/Berlin"},
    {"DateStyle": "German", "IntervalStyle": "postgres_verbose", "bytea_output": "escape", "TimeZone": "Asia/Tehran"},
    {"DateStyle": "Postgres, MDY", "IntervalStyle": "iso_8601", "extra_float_digits": "-5", "TimeZone": "US/Pacific"},
]


@pytest.mark.parametrize(
    "column", ["single", "double", "day", "moment", "wall", "hour", "zoned", "lapse", "span", "raw", "number", "pair"]
)
async def test_a_bookmark_means_the_same_whatever_the_session_is_set_to(pages, outside, direct_url, column):
    await _fill_kinds(outside, column)
    others = [DatabaseConfig(url=direct_url, pool=PoolConfig(size=1), server_settings=each) for each in ODD_SETTINGS]
    async with Database(others[0]) as one, Database(others[1]) as two, Database(others[2]) as three:
        for order_by, ending in [(getattr(Kind, column), ", id"), (desc(getattr(Kind, column)), "DESC, id DESC")]:
            expected = await _expected(outside, column, ending)
            assert await _ids(pages, order_by, 1, [one, two, three]) == expected


# What lies at the ends


async def _some(pages, number=7):
    await _fill(pages, [{"whole": 0, "level": None, "word": None, "share": None, "flag": True}] * number)
    return Readings(pages)


async def test_a_first_page_has_no_previous(pages):
    page = await (await _some(pages)).page(limit=3)
    assert (page.previous, page.has_next, page.next) == (None, True, page.last)


async def test_a_last_page_has_no_next_and_tells_its_end(pages):
    page = await (await _some(pages)).page(limit=7)
    assert (page.next, page.previous, page.has_next) == (None, None, False)
    assert page.first
    assert page.last


async def test_a_page_read_backwards_has_a_next_and_stands_in_order(pages):
    readings = await _some(pages)
    second = await readings.page(limit=3, after=(await readings.page(limit=3)).next)
    first = await readings.page(limit=2, before=second.previous)
    assert [each.id for each in first.items] == [1, 2]
    assert [each.id for each in (await readings.page(limit=3, after=first.next)).items] == [3, 4, 5]
    assert [each.id for each in (await readings.page(limit=2, before=first.previous)).items] == [0]


async def test_after_the_last_bookmark_come_the_rows_that_are_new(pages, outside):
    readings = await _some(pages, 2)
    seen = await readings.page(limit=5)
    nothing = await readings.page(limit=5, after=seen.last)
    assert (list(nothing.items), nothing.last, nothing.next, nothing.previous) == ([], seen.last, None, None)
    await outside.execute("INSERT INTO page_reading (id, whole, flag) VALUES (9, 0, true)")
    assert [each.id for each in (await readings.page(limit=5, after=nothing.last)).items] == [9]


async def test_before_the_first_bookmark_come_the_rows_that_are_new(pages, outside):
    readings = await _some(pages, 2)
    seen = await readings.page(limit=5, order_by=Reading.id.desc())
    nothing = await readings.page(limit=5, order_by=Reading.id.desc(), before=seen.first)
    assert (list(nothing.items), nothing.first, nothing.last) == ([], seen.first, None)
    await outside.execute("INSERT INTO page_reading (id, whole, flag) VALUES (9, 0, true)")
    newer = await readings.page(limit=5, order_by=Reading.id.desc(), before=nothing.first)
    assert [each.id for each in newer.items] == [9]


async def test_rows_written_between_two_pages_repeat_and_skip_no_others(pages, outside):
    readings = await _some(pages, 6)
    page = await readings.page(limit=3, order_by=Reading.whole)
    await outside.execute("INSERT INTO page_reading (id, whole, flag) VALUES (90, -5, true), (91, 5, true)")
    await outside.execute("DELETE FROM page_reading WHERE id = 2")  # where the bookmark points
    rest = await readings.page(limit=9, order_by=Reading.whole, after=page.next)
    assert [each.id for each in rest.items] == [3, 4, 5, 91]


async def test_an_empty_table_is_an_empty_page(pages):
    page = await Readings(pages).page(limit=3, count="exact")
    assert (list(page.items), page.first, page.last, page.count) == ([], None, None, Count(0))


# Counts


async def test_an_exact_count_is_of_all_that_satisfy_the_conditions(pages):
    readings = await _some(pages)
    page = await readings.page(Reading.id > 1, limit=2, count="exact")
    assert (page.count, str(page.count)) == (Count(5), "5")
    assert (await readings.page(Reading.id > 1, limit=2, count="exact", after=page.next)).count == Count(5)


async def test_a_capped_count_says_whether_there_are_more(pages):
    readings = await _some(pages)
    assert [str((await readings.page(limit=2, count=cap)).count) for cap in (6, 7, 8)] == ["6+", "7", "7"]


async def test_an_estimated_count_is_the_planners(pages, outside):
    await outside.execute("INSERT INTO page_post SELECT n, n, 0 FROM generate_series(1, 2000) n; ANALYZE page_post")
    page = await Posts(pages).page(Post.rank.in_([1, 2, 3]), Post.score == 0, limit=2, count="estimated")
    assert (page.count, str(page.count)) == (Count(3, "about"), "~3")
    page = await Posts(pages).page(limit=2, count="estimated")
    assert page.count == Count(2000, "about")


async def test_a_count_of_a_subclass_counts_no_others(pages):
    async with pages.begin() as session:
        session.add_all([Beast(id=1, name="b"), page_models.Hound(id=2, name="h"), Tom(id=3, name="t", lives=7)])
    for count in ("exact", 2):
        page = await page_models.Hounds(pages).page(Beast.id < 9, limit=1, count=count)
        assert ([each.id for each in page.items], page.count) == ([2], Count(1))
        assert (await page_models.Beasts(pages).page(limit=1, count=5)).count == Count(3)


async def test_a_count_of_what_is_all_on_the_page_is_no_statement(pages):
    readings = await _some(pages, 3)
    with assert_statements(1):
        assert (await readings.page(limit=3, count="exact")).count == Count(3)


@pytest.mark.parametrize("count", [0, -1, True, "many"])
async def test_an_unknown_way_to_count_is_refused(pages, count):
    with StatementLog() as log, pytest.raises(KeysetError, match=r"^count="):
        await Readings(pages).page(limit=3, count=count)
    assert len(log) == 0


# Statements


async def test_pages_of_one_shape_are_one_statement(pages, outside):
    readings = await _some(pages)
    order_by = [Reading.level.nulls_first(), func.lower(Reading.word), Reading.whole]
    first = await readings.page(limit=2, order_by=order_by)
    with StatementLog() as log:
        second = await readings.page(limit=1, order_by=order_by, after=first.next)
        await readings.page(limit=3, order_by=order_by, after=second.next)
    assert len({each.text for each in log.statements}) == 1
    window = [Window.on(Ordering.of(Reading, order_by), n, after=p.next) for n, p in [(1, first), (5, second)]]
    keys = [each.of(select(Reading))._generate_cache_key() for each in window]
    assert keys[0] == keys[1]
    assert keys[0] is not None


async def test_pages_of_one_shape_are_one_prepared_statement(pages):
    readings = await _some(pages)
    async with Measures(pages) as unit:
        first = await unit.readings.page(limit=1, count="estimated")
        before = await _prepared(unit)
        for limit in (1, 2, 3):
            first = await unit.readings.page(limit=limit, after=first.last, count="estimated")
        assert await _prepared(unit) == before + 1  # that with a condition
    assert readings


async def _prepared(unit):
    return await unit.session.scalar(select(func.count()).select_from(func.pg_prepared_statement().alias("it")))


async def test_a_page_is_one_round_trip(database_url, faulty_network, pages):
    await _some(pages)
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        readings = Readings(db)
        first = await readings.page(limit=2)
        await readings.page(limit=2, after=first.next, count="exact")
        before = faulty_network.round_trips
        await readings.page(limit=2, after=first.next)
        assert faulty_network.round_trips - before == 1
        await readings.page(limit=2, after=first.next, count="exact")
        assert faulty_network.round_trips - before == 3


async def test_pages_in_a_unit_of_work_see_what_is_pending(pages):
    await _some(pages, 2)
    async with Measures(pages) as unit:
        first = await unit.readings.page(limit=2)
        unit.session.add(Reading(id=5, whole=0, flag=True))
        page = await unit.readings.page(limit=2, after=first.last)
        assert [each.id for each in page.items] == [5]
        assert page.items[0] in unit.session


async def test_entities_of_a_page_load_what_options_say(pages):
    await _some(pages, 3)
    async with pages.begin() as session:
        session.add_all([Note(id=n, reading_id=n // 2) for n in range(6)])
    for order_by in (Reading.id, [Reading.share.desc(), Reading.id]):
        page = await Readings(pages).page(limit=2, order_by=order_by, options=[joinedload(Reading.notes)])
        assert [[note.id for note in each.notes] for each in page.items] == [[0, 1], [2, 3]]
        rest = await Readings(pages).page(limit=2, order_by=order_by, after=page.next)
        assert [each.id for each in rest.items] == [2]


async def test_pages_by_columns_of_two_tables_are_the_whole(pages):
    async with pages.begin() as session:
        session.add_all([Tom(id=n, name="ab"[n % 2], lives=n % 3) for n in range(7)])
    expected = [each.id for each in await Toms(pages).list(order_by=[Tom.lives.desc(), Beast.name, Beast.id])]
    await assert_pages_are_the_whole(Toms(pages), expected, order_by=[Tom.lives.desc(), Beast.name], limit=2)
    expected = [each.id for each in await Toms(pages).list(order_by=[Beast.name, Beast.id])]
    await assert_pages_are_the_whole(Toms(pages), expected, order_by=Tom.name, limit=2)


# Plans


@pytest.fixture
async def posts(pages, outside):
    """Lend the database with posts enough for indexes to pay."""
    await outside.execute("INSERT INTO page_post SELECT n, n % 50, n % 7 FROM generate_series(1, 5000) n")
    await outside.execute("ANALYZE page_post")
    return pages


async def _second(db, *order_by):
    page = await Posts(db).page(limit=2000, order_by=order_by)
    ordering = Ordering.of(Post, order_by)
    forwards = Window.on(ordering, 20, after=page.next).of(select(Post))
    return forwards, Window.on(ordering, 20, before=page.next).of(select(Post))


@pytest.mark.parametrize(
    ("order_by", "index"),
    [
        ([Post.rank], "ix_page_post_rank"),
        ([Post.rank.desc(), Post.id.desc()], "ix_page_post_rank"),
        ([Post.score.desc(), Post.rank.desc()], "ix_page_post_score"),
    ],
)
async def test_elements_in_one_direction_are_read_from_the_index_without_a_sort(posts, order_by, index):
    for statement in await _second(posts, *order_by):
        await assert_uses_index(posts, statement, index)
        for node in ("Sort", "Seq Scan", "Incremental Sort"):
            await assert_plan_has_no(posts, statement, node)
        assert "ROW(" in await _index_condition(posts, statement)


async def test_elements_in_mixed_directions_are_read_from_a_range_of_the_index(posts):
    forwards, backwards = await _second(posts, Post.rank.desc(), Post.score, Post.id)
    for statement, bound in [(forwards, "<="), (backwards, ">=")]:
        await assert_uses_index(posts, statement, "ix_page_post_mixed")
        await assert_plan_has_no(posts, statement, "Sort")
        assert f"(rank {bound} " in await _index_condition(posts, statement)


async def _index_condition(db, statement):
    async with db.engine.connect() as connection:
        sql = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}")).scalar_one()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return plan[0]["Plan"]["Plans"][0]["Index Cond"]
