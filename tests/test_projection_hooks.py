"""Whoever hears, changes or counts what SQLAlchemy sends hears it of projections too, and these give the same."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import Session, with_loader_criteria
from sqlalchemy.util import immutabledict

from dal import Database, PoolConfig
from dal.errors import DatabaseError
from tests import projection_models as models
from tests.projection_models import Author, Authors, Book, Library


@dataclass
class BookCard:
    """A book's number."""

    id: int


@dataclass
class AuthorCard:
    """An author and the books: two statements."""

    id: int
    name: str
    books: list[BookCard]


EXPECTED = [AuthorCard(1, "a", [BookCard(2), BookCard(1)]), AuthorCard(2, "b", [])]
ROWS = """
    INSERT INTO pd_author (id, name) VALUES (1, 'a'), (2, 'b');
    INSERT INTO pd_book VALUES (1, 'x', 1, 1), (2, 'y', 2, 1);
"""


@pytest.fixture
async def library(database_url: Any) -> AsyncGenerator[Database]:
    """Lend a database of one connection with two authors."""
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        await models.create(db)
        await db.execute_script(ROWS)
        yield db


async def _outside(db: Database) -> list[AuthorCard]:
    return list(await Authors(db).list(into=AuthorCard, order_by=Author.id))


async def _inside(db: Database) -> list[AuthorCard]:
    async with Library(db) as library:
        return list(await library.authors.list(into=AuthorCard, order_by=Author.id))


async def _by_key(db: Database) -> list[Any]:
    return [await Authors(db).get(key, into=AuthorCard) for key in (1, 2)]


async def _by_keys(db: Database) -> list[Any]:
    return list(await Authors(db).get_many([1, 2], into=AuthorCard))


# Each sends so many statements.
READS = [(_outside, 2), (_inside, 2), (_by_key, 4), (_by_keys, 2)]


@contextmanager
def _listening(target: Any, name: str, listener: Callable[..., Any], **options: Any) -> Any:
    event.listen(target, name, listener, **options)
    try:
        yield
    finally:
        event.remove(target, name, listener)


def _engine(db: Database) -> Engine:
    return db.engine.sync_engine


def _class(_: Database) -> type[Engine]:
    return Engine


# What a listener that is listened to with retval must give back.
GIVEN_BACK: dict[str, Callable[..., Any]] = {
    "before_execute": lambda _connection, element, many, one, _options: (element, many, one),
    "before_cursor_execute": lambda _connection, _cursor, statement, parameters, *_: (statement, parameters),
    "after_execute": lambda *_: None,
    "after_cursor_execute": lambda *_: None,
}
HEARD = [*((name, False) for name in GIVEN_BACK), ("before_execute", True), ("before_cursor_execute", True)]


@pytest.mark.parametrize(("read", "statements"), READS)
@pytest.mark.parametrize("target", [_engine, _class])
@pytest.mark.parametrize(("name", "gives_back"), HEARD)
async def test_a_listener_to_statements_hears_each(library, read, statements, target, name, gives_back):
    heard = []

    def listener(connection, *arguments):
        heard.append(name)
        return GIVEN_BACK[name](connection, *arguments) if gives_back else None

    assert await read(library) == EXPECTED
    with _listening(target(library), name, listener, **({"retval": True} if gives_back else {})):
        assert await read(library) == EXPECTED
        assert heard == [name] * statements
        assert await read(library) == EXPECTED
        assert heard == [name] * statements * 2
    assert await read(library) == EXPECTED
    assert heard == [name] * statements * 2


async def test_a_listener_that_changes_the_text_changes_what_is_read(library):
    def shouting(conn, cursor, statement, parameters, context, executemany):
        return statement.replace("pd_author.name", "upper(pd_author.name) AS name"), parameters

    with _listening(_engine(library), "before_cursor_execute", shouting, retval=True):
        assert [each.name for each in await _outside(library)] == ["A", "B"]
    assert [each.name for each in await _outside(library)] == ["a", "b"]


@pytest.mark.parametrize("target", [_engine, _class])
async def test_a_listener_to_errors_hears_of_a_read_that_fails(library, target):
    heard = []

    def listener(context):
        heard.append(type(context.original_exception).__name__)

    with _listening(target(library), "handle_error", listener):
        with pytest.raises(DatabaseError):
            await Authors(library).list(Author.id / 0 == 1, into=AuthorCard)
        assert len(heard) == 1
        with pytest.raises(DatabaseError):
            async with Library(library) as unit:
                await unit.authors.list(Author.id / 0 == 1, into=AuthorCard)
        assert len(heard) == 2
        assert await _outside(library) == EXPECTED


async def test_an_error_is_called_the_same_whoever_sends(library):
    errors = []
    for hooked in (False, True):
        if hooked:
            event.listen(_engine(library), "before_cursor_execute", lambda *_: None)
        with pytest.raises(DatabaseError) as caught:
            await Authors(library).list(Author.id / 0 == 1, into=AuthorCard)
        errors.append((type(caught.value), caught.value.sqlstate))
    assert errors[0] == errors[1]


def _only_the_first(state: Any) -> None:
    if state.is_select:
        state.statement = state.statement.options(
            with_loader_criteria(Author, Author.id == 1), with_loader_criteria(Book, Book.id == 1)
        )


FIRST = [AuthorCard(1, "a", [BookCard(1)])]


@pytest.mark.parametrize("read", [_outside, _inside])
async def test_criteria_of_every_session_hold_for_projections(library, read):
    assert await read(library) == EXPECTED
    with _listening(Session, "do_orm_execute", _only_the_first):
        assert await read(library) == FIRST
    assert await read(library) == EXPECTED


async def test_criteria_of_every_session_hold_for_lookups(library):
    with _listening(Session, "do_orm_execute", _only_the_first):
        assert await _by_keys(library) == [*FIRST, None]
        assert await Authors(library).get(1, into=AuthorCard) == FIRST[0]
        assert await Authors(library).get(2, into=AuthorCard) is None
        assert not await Authors(library).exists(2)
    assert await _by_keys(library) == EXPECTED


async def test_criteria_of_a_unit_of_works_session_hold_for_it_alone(library):
    async with Library(library) as unit:
        event.listen(unit.session.sync_session, "do_orm_execute", _only_the_first)
        assert list(await unit.authors.list(into=AuthorCard, order_by=Author.id)) == FIRST
    assert await _inside(library) == EXPECTED
    assert await _outside(library) == EXPECTED


async def test_each_statement_passes_by_a_session_listener(library):
    heard = []
    with _listening(Session, "do_orm_execute", lambda state: heard.append(state.is_select)):
        await _outside(library)
        await _inside(library)
    assert heard == [True] * 4


async def test_a_listener_that_answers_by_itself_is_believed(library):
    def answering(state):
        return IteratorResult(SimpleResultMetaData(["id"]), iter([(7,)]))

    with _listening(Session, "do_orm_execute", answering):
        assert list(await Authors(library).list(into=BookCard)) == [BookCard(7)]


async def test_echo_tells_of_each_statement(library, caplog):
    library.engine.echo = True
    try:
        with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
            assert await _outside(library) == EXPECTED
    finally:
        library.engine.echo = False
    assert sum("FROM pd_" in record.message for record in caplog.records) == 2
    caplog.clear()
    assert await _outside(library) == EXPECTED
    assert caplog.records == []


async def test_a_log_of_the_engines_tells_of_each_statement(library, caplog):
    caplog.set_level(logging.INFO, "sqlalchemy.engine.Engine")
    assert await _outside(library) == EXPECTED
    assert await _inside(library) == EXPECTED
    assert sum("FROM pd_" in record.message for record in caplog.records) == 4


OTHER = """
    CREATE SCHEMA pd_tenant;
    CREATE TABLE pd_tenant.pd_author (LIKE public.pd_author);
    CREATE TABLE pd_tenant.pd_book (LIKE public.pd_book);
    INSERT INTO pd_tenant.pd_author (id, name) VALUES (9, 'tenant');
    INSERT INTO pd_tenant.pd_book VALUES (8, 'x', 1, 9);
"""
MAPPED = {"schema_translate_map": {None: "pd_tenant"}}
TENANT = [AuthorCard(9, "tenant", [BookCard(8)])]


async def test_a_schema_of_the_units_connection_is_read(library):
    await library.execute_script(OTHER)
    async with Library(library) as unit:
        await unit.session.connection(execution_options=MAPPED)
        assert list(await unit.authors.list(into=AuthorCard)) == TENANT
        assert await unit.authors.get(9, into=AuthorCard) == TENANT[0]
    assert await _inside(library) == EXPECTED


async def test_a_schema_of_the_engine_is_read(library):
    await library.execute_script(OTHER)
    _engine(library).update_execution_options(**MAPPED)
    assert await _inside(library) == TENANT


async def test_a_schema_of_the_session_is_read(library):
    await library.execute_script(OTHER)
    async with Library(library) as unit:
        unit.session.sync_session.execution_options = immutabledict(MAPPED)
        assert list(await unit.authors.list(into=AuthorCard)) == TENANT
        assert await unit.authors.get_many([9], into=AuthorCard) == TENANT


@pytest.mark.parametrize("name", ["checkout", "checkin"])
async def test_a_listener_to_the_pool_hears_each_read(library, name):
    heard = []

    def listener(*arguments):
        heard.append(name)

    def checked_out(driver, record, proxy):
        listener()

    def checked_in(driver, record):
        listener()

    with _listening(library.pool, name, checked_out if name == "checkout" else checked_in):
        assert await _outside(library) == EXPECTED
        assert heard
        heard.clear()
        assert await _inside(library) == EXPECTED
        assert heard == [name]


async def test_a_listener_to_new_connections_hears_of_those_that_reads_open(database_url):
    heard = []
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        await models.create(db)
    db = Database(database_url, pool=PoolConfig(size=1))
    event.listen(db.pool, "connect", lambda driver, record: heard.append("connect"))
    async with db:
        assert await _outside(db) == []
    assert heard == ["connect"]


async def test_begin_and_commit_are_heard_of_a_unit_of_work_that_only_projects(library):
    heard = []
    for name in ("begin", "commit"):
        event.listen(_engine(library), name, lambda _, name=name: heard.append(name))
    assert await _inside(library) == EXPECTED
    assert heard == ["begin", "commit"]
