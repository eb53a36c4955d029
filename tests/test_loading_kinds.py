"""Of every kind of relationship, and any number of parents, a batch is what selectinload gives, in one statement.

20 and 1,000 parents of each kind; 50,000 of those in `MANY`, one of each way in which what belongs to whom is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Any, Final, TypeAlias

import pytest
from sqlalchemy import URL, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload, undefer

from dal import Database, PoolConfig, UnitOfWork
from dal.lazy_loading import MAX_GROUP
from dal.loading import load
from dal.loading.keys import keys_at_once
from dal.testing import Kit, assert_statements
from tests import loading_models as models
from tests.loading_models import Base, Company, Person, Pet, Place, Staff

# What of an entity is compared.
Shown: TypeAlias = Callable[[Any], Any]

SIZES: Final = (20, 1_000)
LARGE: Final = 50_000
ALL: Final = [
    (mapper.class_, prop.key)
    for mapper in sorted(Base.registry.mappers, key=lambda mapper: mapper.class_.__name__)
    for prop in mapper.relationships
]
# By the parents' keys, and by the children's.
MANY: Final = [(Person, "pets"), (Pet, "owner")]
MANY_TABLES: Final = frozenset({"ld_place", "ld_person", "ld_pet"})


def _name(case: Any) -> str:
    return f"{case[0].__name__}.{case[1]}" if isinstance(case, tuple) else str(case)


@pytest.fixture(scope="module")
def filled(pg_kit: Kit) -> Generator[Callable[[int], URL]]:
    """Lend databases with so many rows of each class to all the tests of this file."""
    with pg_kit.database() as twenty, pg_kit.database() as thousand, pg_kit.database() as many:
        urls, made = {SIZES[0]: twenty, SIZES[1]: thousand, LARGE: many}, set()

        def give(size: int) -> URL:
            if size not in made:
                asyncio.run(_fill(urls[size], size))
                made.add(size)
            return urls[size]

        yield give


async def _fill(url: URL, size: int) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as db:
        await models.create(db)
        if size == LARGE:
            await models.fill(db, size, MANY_TABLES)
        else:
            await models.fill(db, size)


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> int:
    """Say how many there are."""
    return int(request.param)


@pytest.fixture
def of_size(filled: Callable[[int], URL], size: int) -> URL:
    """Say where so many are."""
    return filled(size)


@pytest.fixture
async def rows(of_size: URL) -> AsyncGenerator[Database]:
    """Lend an open `Database` with so many."""
    async with Database(of_size, pool=PoolConfig(size=1)) as db:
        yield db


def _columns(entity: Any) -> Any:
    if entity is None:
        return None
    state = inspect(entity)
    return type(entity).__name__, [state.dict.get(each.key) for each in state.mapper.column_attrs]


def _id(entity: Any) -> Any:
    return None if entity is None else entity.id


def _value(entity: Any, key: str, shown: Shown = _columns) -> Any:
    """Give what a loaded attribute holds, in its order if it has one."""
    prop, value = inspect(type(entity)).attrs[key], entity.__dict__[key]
    if not prop.uselist:
        return shown(value)
    kind = type(value)
    value = value.values() if isinstance(value, dict) else value
    found = [shown(each) for each in value]
    return kind, found if prop.order_by else sorted(found, key=repr)


async def _expected(db: Database, model: Any, key: str, shown: Shown = _columns) -> list[Any]:
    statement = select(model).options(selectinload(getattr(model, key))).order_by(*inspect(model).primary_key)
    async with AsyncSession(db.engine) as session:
        return [(shown(each), _value(each, key, shown)) for each in await session.scalars(statement)]


async def _read(unit: UnitOfWork, model: Any) -> list[Any]:
    return list(await models.repository_of(model)(unit).list(order_by=inspect(model).primary_key))


async def _await_each(entities: Iterable[Any], key: str) -> None:
    for each in entities:
        await getattr(each.awaitable_attrs, key)


def _chunks(entities: list[Any], model: Any) -> int:
    return -(-len(entities) // min(MAX_GROUP, keys_at_once(inspect(model).primary_key)))


def _statements(entities: list[Any], model: Any, key: str) -> int:
    """Say how many statements a batch is: one for each group that lacks somebody whom those before did not bring."""
    prop = inspect(model).relationships[key]
    if not prop._use_get:
        return _chunks(entities, model)
    count, known = 0, {inspect(each).identity for each in entities if isinstance(each, prop.mapper.class_)}
    owns = [own.key for own, _ in prop.local_remote_pairs]
    for start in range(0, len(entities), MAX_GROUP):
        group = {tuple(getattr(each, name) for name in owns) for each in entities[start : start + MAX_GROUP]}
        lacking = {key for key in group if None not in key} - known
        count, known = count + bool(lacking), known | lacking
    return count


async def _compare(rows: Database, model: Any, key: str, shown: Shown = _columns) -> None:
    async with UnitOfWork(rows) as unit:
        entities = await _read(unit, model)
        assert entities
        with assert_statements(_statements(entities, model, key)):
            await _await_each(entities, key)
        found = [(shown(each), _value(each, key, shown)) for each in entities]
    assert found == await _expected(rows, model, key, shown)


@pytest.mark.parametrize("case", ALL, ids=_name)
async def test_a_batch_is_what_selectinload_gives(rows, case):
    await _compare(rows, *case)


@pytest.mark.parametrize("case", ALL, ids=_name)
async def test_what_is_loaded_explicitly_is_what_selectinload_gives(rows, case):
    model, key = case
    async with UnitOfWork(rows) as unit:
        entities = await _read(unit, model)
        with assert_statements(max=_chunks(entities, model)):
            await load(entities, getattr(model, key))
        found = [(_columns(each), _value(each, key)) for each in entities]
    assert found == await _expected(rows, model, key)


@pytest.mark.parametrize("size", [LARGE], indirect=True)
@pytest.mark.parametrize("case", MANY, ids=_name)
async def test_a_batch_of_many_is_what_selectinload_gives(rows, case):
    await _compare(rows, *case, shown=_id)


@pytest.mark.parametrize("expire", [False, True], ids=["deferred", "expired"])
async def test_a_column_is_read_for_all_that_lack_it(rows, expire):
    async with AsyncSession(rows.engine) as session:
        statement = select(Person).options(undefer(Person.note)).order_by(Person.id)
        expected = [(each.id, each.name, each.note) for each in await session.scalars(statement)]
    async with UnitOfWork(rows) as unit:
        people = await _read(unit, Person)
        if expire:
            unit.session.expire_all()
        with assert_statements(2 if expire else 1):
            await _await_each(people, "note")
            await _await_each(people, "name")
        assert [(each.id, each.name, each.note) for each in people] == expected


async def test_what_is_reached_loads_together_to_any_depth(rows):
    async with UnitOfWork(rows) as unit:
        places = await _read(unit, Place)
        with assert_statements(4):
            for place in places:
                for person in await place.awaitable_attrs.people:
                    for pet in await person.awaitable_attrs.pets:
                        assert pet.owner is person
                    await person.awaitable_attrs.passport
                    await person.awaitable_attrs.clubs


async def test_a_relationship_of_a_root_is_loaded_for_all_its_subclasses(rows):
    async with UnitOfWork(rows) as unit:
        companies = await _read(unit, Company)
        with assert_statements(2):
            for company in companies:
                for member in await company.awaitable_attrs.staff:
                    await member.awaitable_attrs.driven
    async with UnitOfWork(rows) as unit:
        staff = await _read(unit, Staff)
        with assert_statements(1):
            await _await_each(staff, "driven")
