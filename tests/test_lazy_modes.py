"""What a relationship that nobody loaded does when it is read, in each mode, and who may say which."""

from __future__ import annotations

import asyncio
import logging

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.exc import DetachedInstanceError, ObjectDeletedError

from dal import Database, lazy, load
from dal.errors import ConfigError, NotLoaded, NPlusOne
from dal.testing import assert_statements
from tests import lazy_models as models
from tests.lazy_models import EACH, HALLS, IS_PUBLIC, Book, Hall, Halls, Library, Shelf

# What one load is: without SQLAlchemy's private parts the keys are read again first.
LOAD = 2 if IS_PUBLIC else 1
public_does_not = pytest.mark.skipif(IS_PUBLIC, reason="only with SQLAlchemy's private parts")

SHELF_IDS = [hall * 10 + n for hall in range(1, HALLS + 1) for n in range(EACH)]


@pytest.fixture
async def library(database_url):
    async with Database(database_url) as db:
        await models.create(db)
        yield db


def with_mode(library, mode, **more):
    """Give the same database in another mode."""
    return Database(library.config, lazy=mode, **more)


async def shelf_ids(halls):
    return [shelf.id for hall in halls for shelf in await hall.awaitable_attrs.shelves]


# Together.


async def test_the_first_that_is_read_loads_for_all_that_came_with_it(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        with assert_statements(LOAD):
            assert await shelf_ids(halls) == SHELF_IDS


async def test_what_is_reached_is_a_group_too(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        with assert_statements(2 * LOAD):
            books = [
                book.id
                for hall in halls
                for shelf in await hall.awaitable_attrs.shelves
                for book in await shelf.awaitable_attrs.books
            ]
    assert books == [shelf * 10 + n for shelf in SHELF_IDS for n in range(EACH)]


async def test_a_many_to_one_that_the_session_holds_sends_nothing(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        shelves = await unit.shelves.list()
        with assert_statements(0):
            assert {await shelf.awaitable_attrs.hall for shelf in shelves} == set(halls)


@public_does_not
async def test_only_those_many_to_ones_that_the_session_does_not_hold_are_read(library):
    async with Library(library) as unit:
        held = await unit.halls.get_one(1)
        shelves = await unit.shelves.list()
        with assert_statements(1) as log:
            assert (await shelves[-1].awaitable_attrs.hall).id == HALLS
        assert [statement.rows for statement in log] == [HALLS - 1]
        with assert_statements(0):
            assert await shelves[0].awaitable_attrs.hall is held


async def test_tasks_of_a_gather_load_once(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        with assert_statements(LOAD):
            found = await asyncio.gather(*(hall.awaitable_attrs.shelves for hall in halls))
    assert [shelf.id for shelves in found for shelf in shelves] == SHELF_IDS


async def test_tasks_of_a_gather_may_load_different_things(library):
    async with Library(library) as unit:
        shelves = await unit.shelves.list()
        with assert_statements(2 * LOAD):
            await asyncio.gather(*(each for s in shelves for each in (s.awaitable_attrs.hall, s.awaitable_attrs.books)))
        assert {len(shelf.books) for shelf in shelves} == {EACH}


async def test_a_task_that_is_cancelled_in_its_turn_leaves_the_others_theirs(library, outside):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        tasks = [asyncio.create_task(shelf_ids([hall])) for hall in halls]
        await asyncio.sleep(0)  # the first one has the turn, and the others wait for it
        tasks[1].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[1], asyncio.CancelledError)
    assert [found[0], *found[2:]] == [SHELF_IDS[:2], SHELF_IDS[4:6], SHELF_IDS[6:]]


async def test_those_that_were_read_one_by_one_load_together(library):
    async with Library(library) as unit:
        halls = [await unit.halls.get_one(number) for number in range(1, HALLS + 1)]
        with assert_statements(LOAD):
            assert await shelf_ids(halls) == SHELF_IDS


async def test_those_that_were_refreshed_load_together(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        for hall in halls:
            await unit.session.refresh(hall)
        with assert_statements(LOAD):
            assert await shelf_ids(halls) == SHELF_IDS


@public_does_not
async def test_those_of_two_statements_are_two_groups(library):
    async with Library(library) as unit:
        halls = [*await unit.halls.list(Hall.id <= 2), *await unit.halls.list(Hall.id > 2)]
        with assert_statements(2):
            assert await shelf_ids(halls) == SHELF_IDS


@public_does_not
async def test_a_group_is_no_larger_than_it_may_be(library):
    async with with_mode(library, "batch", max_group=3) as db, Library(db) as unit:
        halls = await unit.halls.list()
        with assert_statements(2) as log:
            assert await shelf_ids(halls) == SHELF_IDS
        assert [statement.rows for statement in log] == [3 * EACH, EACH]


async def test_a_statement_that_sqlalchemy_sends_in_the_session_batches_too(library):
    async with Library(library) as unit:
        await unit.halls.get_one(1)
        halls = (await unit.session.scalars(select(Hall).where(Hall.id > 1).order_by(Hall.id))).all()
        with assert_statements(LOAD):
            assert await shelf_ids(halls) == SHELF_IDS[2:]


async def test_changes_are_kept_and_flushed_before(library, outside):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        halls[0].name = "changed"
        moved = await unit.shelves.get_one(10)
        moved.hall_id = 2
        assert await shelf_ids(halls[:2]) == [11, 10, 20, 21]
        assert halls[0].name == "changed"


async def test_a_pending_append_is_in_the_collection(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        new = Shelf(id=99, hall=halls[0])
        unit.session.add(new)
        assert new in await halls[0].awaitable_attrs.shelves


@public_does_not
async def test_deferred_columns_load_for_all(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        with assert_statements(1):
            assert [await hall.awaitable_attrs.history for hall in halls] == ["long"] * HALLS


@public_does_not
async def test_expired_entities_load_together(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        unit.session.expire_all()
        with assert_statements(1):
            assert [await hall.awaitable_attrs.name for hall in halls] == [f"hall {n}" for n in range(1, HALLS + 1)]


@public_does_not
async def test_an_expired_entity_whose_row_is_gone_says_so(library, outside):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        unit.session.expire_all()
        await outside.execute(
            "DELETE FROM lazy_door; DELETE FROM lazy_book; DELETE FROM lazy_shelf; DELETE FROM lazy_hall WHERE id = 1"
        )
        with pytest.raises(ObjectDeletedError):
            await halls[0].awaitable_attrs.name
        assert await halls[1].awaitable_attrs.name == "hall 2"


async def test_a_refresh_is_of_one(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        unit.session.expire_all()
        with assert_statements(1) as log:
            await unit.session.refresh(halls[0])
        assert [statement.rows for statement in log] == [1]


async def test_nothing_of_a_group_is_held(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        await shelf_ids(halls[:1])
        del halls
        assert len(unit.session.identity_map) == 0


@public_does_not
async def test_a_cascade_loads_what_it_needs_in_any_mode_and_for_one_alone(library, outside):
    await outside.execute("DELETE FROM lazy_book; DELETE FROM lazy_shelf")
    async with with_mode(library, "raise") as db, Library(db) as unit:
        halls = await unit.halls.list()
        await unit.halls.delete(halls[0])
        assert not any("doors" in vars(hall) for hall in halls[1:])
    assert await outside.fetchval("SELECT count(*) FROM lazy_door") == HALLS - 1


# Modes.


async def test_off_is_a_statement_for_each(library):
    async with with_mode(library, "off") as db, Library(db) as unit:
        halls = await unit.halls.list()
        with assert_statements(HALLS):
            assert await shelf_ids(halls) == SHELF_IDS
        with pytest.raises(MissingGreenlet):
            _ = halls[0].shelves[0].books


async def test_raise_names_the_attribute_the_line_and_the_option(library):
    async with with_mode(library, "raise") as db, Library(db) as unit:
        halls = await unit.halls.list()
        said = r"^Hall\.shelves .* test_lazy_modes\.py:\d+ .*options=\[selectinload\(Hall\.shelves\)\]\.$"
        with assert_statements(0), pytest.raises(NotLoaded, match=said):
            await halls[0].awaitable_attrs.shelves
        read = await unit.halls.list(options=[selectinload(Hall.shelves)])
        assert [shelf.id for hall in read for shelf in hall.shelves] == SHELF_IDS


async def test_raise_n_plus_one_lets_a_single_one_load(library):
    async with with_mode(library, "raise_n_plus_one") as db, Library(db) as unit:
        for number in range(1, HALLS + 1):
            await shelf_ids([await unit.halls.get_one(number)])


async def test_raise_n_plus_one_refuses_the_second_of_several(library):
    async with with_mode(library, "raise_n_plus_one") as db, Library(db) as unit:
        halls = await unit.halls.list()
        assert await shelf_ids(halls[2:3]) == SHELF_IDS[4:6]
        with assert_statements(0), pytest.raises(NPlusOne, match=r"^Hall\.shelves .* of 4 .*test_lazy_modes\.py"):
            await shelf_ids(halls[:1])


async def test_warn_batches_and_reports_each_line_once(library, caplog):
    caplog.set_level(logging.WARNING, "dal.loading")
    async with with_mode(library, "warn") as db:
        for _ in range(2):
            async with Library(db) as unit:
                with assert_statements(1 + LOAD):
                    assert await shelf_ids(await unit.halls.list()) == SHELF_IDS
    (record,) = caplog.records
    assert "Hall.shelves was loaded lazily, for 4 entities" in record.message
    assert "test_lazy_modes.py" in record.message
    assert "options=[selectinload(Hall.shelves)]" in record.message


async def test_without_an_await_it_raises_and_names_both_ways(library):
    async with Library(library) as unit:
        (hall, *_) = await unit.halls.list()
        with assert_statements(0), pytest.raises(NotLoaded, match=r"awaitable_attrs\.shelves.*options=\["):
            _ = hall.shelves


@public_does_not
async def test_a_detached_one_says_so_in_sqlalchemys_class_too(library):
    (hall, *_) = await Halls(library).list()
    with pytest.raises(DetachedInstanceError, match="in no session any more"):
        _ = hall.shelves


async def test_a_session_of_sqlalchemys_is_left_alone(library):
    async with AsyncSession(library.engine) as session:
        halls = (await session.scalars(select(Hall).order_by(Hall.id))).all()
        with assert_statements(HALLS):
            assert await shelf_ids(halls) == SHELF_IDS


# Who says which.


async def test_a_mode_that_there_is_not_is_refused(library):
    with pytest.raises(ConfigError, match=r"off, batch, warn, raise_n_plus_one, raise, not 'eager'"):
        with_mode(library, "eager")
    with pytest.raises(ConfigError):
        lazy("select")
    with pytest.raises(TypeError, match="no relationship"):
        lazy("raise", Hall.name)


async def test_a_relationship_is_stricter_than_its_database(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        with pytest.raises(NotLoaded, match=r"Hall\.doors"):
            await halls[0].awaitable_attrs.doors
        assert await shelf_ids(halls) == SHELF_IDS


async def test_a_statement_is_stronger_than_a_relationship(library):
    async with Library(library) as unit:
        halls = await unit.halls.list(options=[lazy("batch", Hall.doors)])
        with assert_statements(LOAD):
            assert [door.id for hall in halls for door in await hall.awaitable_attrs.doors] == [10, 20, 30, 40]


async def test_a_repository_is_stronger_than_its_database_also_for_what_is_reached(library):
    async with Library(library) as unit:
        halls = await unit.strict.list(options=[selectinload(Hall.shelves)])
        with pytest.raises(NotLoaded, match=r"Shelf\.books"):
            await halls[0].shelves[0].awaitable_attrs.books


async def test_a_statement_is_stronger_than_its_repository(library):
    async with Library(library) as unit:
        halls = await unit.strict.list(options=[lazy("batch")])
        assert await shelf_ids(halls) == SHELF_IDS


# After the fact.


async def test_load_is_one_statement_for_each_relationship(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        with assert_statements(2 * LOAD):
            await load(halls, Hall.shelves, Shelf.books)
        with assert_statements(LOAD if IS_PUBLIC else 0):  # the shelves are in the session
            await load(halls, Hall.shelves, Shelf.books, Book.shelf)
            assert [book.id for h in halls for s in h.shelves for book in s.books][:2] == [100, 101]


async def test_load_is_above_every_mode(library):
    async with Library(library) as unit:
        halls = await unit.strict.list()
        await load(halls[0], Hall.shelves, Hall.doors)
        assert [shelf.id for shelf in halls[0].shelves] == SHELF_IDS[:2]
        with pytest.raises(NotLoaded):
            await halls[1].awaitable_attrs.shelves


async def test_load_keeps_what_is_loaded_and_changed_unless_it_is_forced(library, outside):
    async with Library(library) as unit:
        halls = await unit.halls.list()
        await load(halls, Hall.doors)
        await outside.execute("DELETE FROM lazy_door WHERE hall_id = 1")
        halls[0].name = "changed"
        await load(halls, Hall.doors)
        assert len(halls[0].doors) == 1
        await load(halls, Hall.doors, force=True)
        assert halls[0].doors == []
        assert halls[0].name == "changed"


async def test_load_of_a_detached_one_is_refused(library):
    halls = await Halls(library).list()
    with pytest.raises(NotLoaded, match="session"):
        await load(halls, Hall.shelves)
    with pytest.raises(NotLoaded, match="session"):
        await load(Hall(id=7, name="new"), Hall.shelves)


async def test_load_in_a_closed_unit_of_work_is_refused(library):
    async with Library(library) as unit:
        halls = await unit.halls.list()
    with pytest.raises(NotLoaded, match="session"):
        await load(halls, Hall.shelves)


async def test_load_of_entities_of_two_units_of_work_is_refused(library):
    async with Library(library) as one, Library(library, independent=True) as other:
        halls = [await one.halls.get_one(1), await other.halls.get_one(2)]
        with pytest.raises(NotLoaded, match="several"):
            await load(halls, Hall.shelves)


@pytest.mark.parametrize("attribute", [Hall.name, Hall, "shelves"])
async def test_load_of_what_is_no_relationship_is_refused(library, attribute):
    async with Library(library) as unit:
        with pytest.raises(TypeError, match="no relationship"):
            await load(await unit.halls.list(), attribute)


async def test_load_of_another_classs_relationship_is_refused(library):
    async with Library(library) as unit:
        with assert_statements(1), pytest.raises(TypeError, match=r"Shelf\.books .*Hall"):
            await load(await unit.halls.list(), Shelf.books)


async def test_load_of_nobody_sends_nothing(library):
    async with Library(library):
        with assert_statements(0):
            await load([], Hall.shelves)


@public_does_not
async def test_other_listeners_of_the_session_see_every_statement(library):
    async with Library(library) as unit:
        seen = []
        event.listen(unit.session.sync_session, "do_orm_execute", seen.append)
        await shelf_ids(await unit.halls.list())
    assert [(each.is_select, each.is_relationship_load) for each in seen] == [(True, False), (True, True)]
