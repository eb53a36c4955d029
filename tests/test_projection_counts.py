"""A projection of depth d sends d statements and takes d round trips, however many rows there are."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any

import pytest
from sqlalchemy import event

from dal import Database, PoolConfig, UnitOfWork
from dal.errors import DatabaseError
from dal.projection import From, Load
from dal.testing import Network, assert_statements
from tests import projection_models as models
from tests.looking import states
from tests.projection_models import Author, Authors, Book, Books, Company, Country, Item, Library, Shelf, repository_of

MANY = 1_000
# One row of each for every number up to so many; author n has learnt from author n - 1.
ROWS = """
    INSERT INTO "Far Away"."select from" SELECT n, 'x', n, n FROM generate_series(1, {0}) n;
    INSERT INTO pd_author (id, name, email, country_key, mentor_id)
        SELECT n, 'name ' || n, 'mail ' || n, n, nullif(n - 1, 0) FROM generate_series(1, {0}) n;
    INSERT INTO pd_friendship SELECT n, n FROM generate_series(1, {0}) n;
    INSERT INTO pd_profile SELECT n, 'x' FROM generate_series(1, {0}) n;
    INSERT INTO pd_book SELECT n, 'x', 5, n FROM generate_series(1, {0}) n;
    INSERT INTO pd_tag SELECT n, 'x' FROM generate_series(1, {0}) n;
    INSERT INTO pd_tagging SELECT n, n, 1 FROM generate_series(1, {0}) n;
    INSERT INTO pd_letter SELECT n, 'mail ' || n, n FROM generate_series(1, {0}) n;
    INSERT INTO pd_shelf SELECT 'room', n, 'x' FROM generate_series(1, {0}) n;
    INSERT INTO pd_keeping SELECT 'room', n, n FROM generate_series(1, {0}) n;
    INSERT INTO pd_item SELECT n, 'room', n FROM generate_series(1, {0}) n;
    INSERT INTO pd_company SELECT n, 'x' FROM generate_series(1, {0}) n;
    INSERT INTO pd_staff SELECT n, 'engineer', 'x', n FROM generate_series(1, {0}) n;
    INSERT INTO pd_engineer SELECT n, n, NULL FROM generate_series(1, {0}) n;
    INSERT INTO pd_vehicle SELECT n, 'car', 'x', n, n, n, n FROM generate_series(1, {0}) n;
"""


@dataclass
class IdOnly:
    """A key."""

    id: int


@dataclass
class KeyOnly:
    """A country's key."""

    key: int


@dataclass
class TextOnly:
    """A profile's text."""

    text: str | None


@dataclass
class RoomOnly:
    """A part of a shelf's key."""

    room: str


TOP_TWO = Load(order_by=Book.id, limit=2)

# A class, a relationship, how it is annotated, and how many statements it is.
KINDS = [
    (Author, "books", list[IdOnly], 1),
    (Author, "pupils", list[IdOnly], 1),
    (Author, "friends", list[IdOnly], 1),
    (Author, "befriended", list[IdOnly], 1),
    (Author, "good_books", list[IdOnly], 1),
    (Author, "old_books", list[IdOnly], 1),
    (Author, "new_books", list[IdOnly], 1),
    (Author, "letters", list[IdOnly], 1),
    (Author, "shelves", list[RoomOnly], 1),
    (Author, "profile", TextOnly | None, 1),
    (Author, "country", KeyOnly | None, 0),
    (Author, "mentor", IdOnly | None, 0),
    (Author, "name", Annotated[str | None, From(Author.country, Country.chosen)], 0),
    (Author, "books", Annotated[list[IdOnly], TOP_TWO], 1),
    (Book, "author", IdOnly, 0),
    (Book, "tags", list[IdOnly], 1),
    (Book, "first_tags", list[IdOnly], 1),
    (Shelf, "items", list[IdOnly], 1),
    (Shelf, "keepers", list[IdOnly], 1),
    (Item, "shelf", RoomOnly | None, 0),
    (Company, "staff", list[IdOnly], 1),
    (Company, "engineers", list[IdOnly], 1),
    (Company, "cars", list[IdOnly], 1),
]


def _chain(depth: int) -> Any:
    """Make a type of authors, their pupils, and so on."""
    fields: list[tuple[str, Any]] = [("id", int)]
    if depth > 1:
        pupil: Any = _chain(depth - 1)
        fields.append(("pupils", list[pupil]))
    return make_dataclass(f"Depth{depth}", fields)


DEPTHS = {depth: _chain(depth) for depth in (1, 2, 3, 4)}


@pytest.fixture
async def counted(faulty_network: Network, database_url: Any) -> AsyncGenerator[tuple[Network, Database]]:
    """Lend a network that counts round trips, and a database of one connection behind it, with empty tables."""
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        await models.create(db)
        yield faulty_network, db


async def _warm(network, work):
    """Count the round trips of *work* when its statements are prepared."""
    for _ in range(2):
        before = network.round_trips
        await work()
    return network.round_trips - before


async def _prepared(db):
    async with db.checkout() as driver:
        return await driver.fetchval("SELECT count(*) FROM pg_prepared_statements")


@pytest.mark.parametrize("rows", [0, 1, MANY])
async def test_each_kind_of_relationship_is_so_many_statements(counted, rows):
    network, db = counted
    await db.execute_script(ROWS.format(rows))
    for model, name, annotation, more in KINDS:
        card, repository = make_dataclass("Card", [(name, annotation)]), repository_of(model)(db)
        expected = 1 + (more if rows else 0)
        with assert_statements(expected):
            assert len(await repository.list(into=card)) == rows
        assert (name, await _warm(network, lambda: repository.list(into=card))) == (name, expected)  # noqa: B023 # called here


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("rows", [5, MANY])
async def test_a_depth_is_a_statement_and_a_round_trip(counted, depth, rows):
    network, db = counted
    await db.execute_script(ROWS.format(rows))
    with assert_statements(depth):
        await Authors(db).list(into=DEPTHS[depth])
    assert await _warm(network, lambda: Authors(db).list(into=DEPTHS[depth])) == depth
    assert await _warm(network, lambda: Authors(db).get(1, into=DEPTHS[depth])) == depth
    assert await _warm(network, lambda: Authors(db).get_many([1, 2, 404], into=DEPTHS[depth])) == depth


async def test_several_relationships_of_one_level_are_a_statement_each(counted):
    network, db = counted
    await db.execute_script(ROWS.format(3))
    card = make_dataclass("Card", [("books", list[IdOnly]), ("letters", list[IdOnly]), ("mentor", IdOnly | None)])
    assert await _warm(network, lambda: Authors(db).list(into=card)) == 3


async def test_no_rows_are_one_statement(counted):
    network, db = counted
    assert await _warm(network, lambda: Authors(db).list(into=DEPTHS[4])) == 1
    assert await _warm(network, lambda: Authors(db).get(1, into=DEPTHS[4])) == 1


async def test_parents_without_children_end_the_statements_there(counted):
    network, db = counted
    await db.execute_script("INSERT INTO pd_author (id, name) VALUES (1, 'x')")
    assert await _warm(network, lambda: Authors(db).list(into=DEPTHS[4])) == 2


async def test_any_number_of_parents_is_the_same_prepared_statements(counted):
    _, db = counted
    await db.execute_script(ROWS.format(MANY))
    counts = []
    for limit in (1, 2, 3, 10, 100, 1_000):
        await Authors(db).list(into=DEPTHS[3], order_by=Author.id, limit=limit)
        await Authors(db).get_many(range(limit), into=DEPTHS[3])
        counts.append(await _prepared(db))
    assert counts == counts[:1] * len(counts)


async def test_in_a_unit_of_work_it_is_begin_and_a_round_trip_for_each_level(counted):
    network, db = counted
    await db.execute_script(ROWS.format(5))

    async def read():
        async with Library(db) as library:
            await library.authors.list(into=DEPTHS[3])

    await read()
    with network.listening() as heard:
        await read()
    begin, *levels, end = heard
    assert [words.split()[:2] for words in begin] == [["Q", "BEGIN"]]
    assert (levels, end) == ([["B", "E", "S"]] * 3, ["Q COMMIT;"])


async def test_a_second_read_in_a_unit_of_work_begins_nothing(counted):
    network, db = counted
    await db.execute_script(ROWS.format(5))
    async with Library(db) as library:
        await library.authors.list(into=DEPTHS[2])
        with network.listening() as heard:
            await library.authors.list(into=DEPTHS[2])
        assert heard == [["B", "E", "S"]] * 2


async def test_outside_a_unit_of_work_nothing_is_begun(counted):
    network, db = counted
    await db.execute_script(ROWS.format(5))
    await Authors(db).list(into=DEPTHS[3])
    with network.listening() as heard:
        await Authors(db).list(into=DEPTHS[3])
    assert heard == [["B", "E", "S"]] * 3


async def test_pending_changes_are_flushed_and_seen(counted):
    _, db = counted
    await db.execute_script(ROWS.format(1))
    async with Library(db) as library:
        library.session.add(Book(id=7, title="new", rating=1, author_id=1))
        (await library.authors.get_one(1)).name = "changed"
        card = make_dataclass("Card", [("name", str), ("books", list[IdOnly])])
        found = await library.authors.get(1, into=card)
    assert (found.name, sorted(each.id for each in found.books)) == ("changed", [1, 7])


async def test_what_was_flushed_for_a_read_is_rolled_back_with_the_unit_of_work(counted, outside):
    _, db = counted
    with pytest.raises(ZeroDivisionError):
        async with Library(db) as library:
            library.session.add(Author(id=1, name="never"))
            assert len(await library.authors.list(into=IdOnly)) == 1
            raise ZeroDivisionError
    assert await outside.fetchval("SELECT count(*) FROM pd_author") == 0


async def test_a_session_that_does_not_flush_by_itself_is_not_flushed(counted):
    _, db = counted
    async with Library(db) as library:
        library.session.sync_session.autoflush = False
        library.session.add(Author(id=1, name="pending"))
        assert await library.authors.list(into=IdOnly) == []


async def test_a_read_that_fails_in_a_unit_of_work_leaves_no_transaction_open(counted, outside):
    _, db = counted
    await db.execute_script(ROWS.format(1))
    with pytest.raises(DatabaseError, match="zero"):
        async with Library(db) as library:
            await library.authors.list(Author.id / 0 == 1, into=IdOnly)
    assert not any(state.startswith("idle in transaction") for state in await states(outside))


async def test_by_sqlalchemys_own_way_it_is_as_many_statements(counted):
    _, db = counted
    await db.execute_script(ROWS.format(5))
    event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *_: None)
    for depth, card in DEPTHS.items():
        with assert_statements(depth):
            await Authors(db).list(into=card)
    async with UnitOfWork(db) as unit:
        with assert_statements(4):
            await Authors(unit).list(into=DEPTHS[4])


async def test_books_and_their_authors_are_one_statement(counted):
    network, db = counted
    await db.execute_script(ROWS.format(5))
    author = make_dataclass("AuthorCard", [("name", str), ("country", KeyOnly | None), ("mentor", IdOnly | None)])
    card = make_dataclass("BookCard", [("title", str), ("author", author)])
    assert await _warm(network, lambda: Books(db).list(into=card)) == 1
