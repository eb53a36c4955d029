"""What entities came with, or lost since, holds in a batch for each of them."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload, selectinload

from dal import Database, UnitOfWork
from dal.testing import assert_statements
from tests import loading_models as models
from tests.loading_models import Engineer, Person, Pet, Staff

HEAVY = lazyload(Person.pets.and_(Pet.weight > 1))


@pytest.fixture
async def people(db: Database) -> Database:
    """Lend `db` with twenty of each class."""
    await models.create(db)
    await models.fill(db, 20)
    return db


async def _weights(entities):
    return [pet.weight for each in entities for pet in await each.awaitable_attrs.pets]


async def test_an_option_that_limits_a_relationship_limits_a_batch(people):
    async with UnitOfWork(people) as unit:
        found = await models.People(unit).list(options=[HEAVY])
        with assert_statements(1):
            weights = await _weights(found)
        assert set(weights) == {2, 3}


async def test_one_that_lost_its_limit_does_not_take_it_from_the_others(people):
    async with UnitOfWork(people) as unit:
        first, *others = await models.People(unit).list(Person.id.between(1, 4), options=[HEAVY], order_by=Person.id)
        unit.session.expire(first, ["pets"])
        weights = await _weights([first]), await _weights(others)
        assert (min(*weights[0]), min(*weights[1])) == (2, 2)
        unit.session.expunge_all()
        *others, last = await models.People(unit).list(Person.id.between(1, 4), options=[HEAVY], order_by=Person.id)
        unit.session.expire(last)
        assert (set(await _weights(others)), set(await _weights([last]))) == ({2, 3}, {0, 1})


async def test_those_that_were_populated_again_load_together(people):
    async with UnitOfWork(people) as unit:
        statement = select(Person).order_by(Person.id).execution_options(populate_existing=True)
        found = list(await unit.session.scalars(statement))
        with assert_statements(1):
            assert await _weights(found)


@pytest.mark.parametrize("expire", [False, True])
async def test_columns_of_a_subclass_load_together(people, expire):
    async with UnitOfWork(people) as unit:
        staff = await models.repository_of(Staff)(unit).list(order_by=Staff.id)
        engineers = [each for each in staff if isinstance(each, Engineer)]
        if expire:
            unit.session.expire_all()
        with assert_statements(1):
            found = [(await each.awaitable_attrs.company_id, await each.awaitable_attrs.skill) for each in engineers]
        assert found == [(each.id // 3 if each.id % 10 else None, each.id) for each in engineers]


async def test_a_column_that_was_changed_behind_the_session_is_as_the_server_has_it(people):
    """As selectinload has it; a lazy load of SQLAlchemy's own looks for what the session has."""
    renamed = update(Person).values(name="n1").execution_options(synchronize_session=False)
    found = {}
    async with AsyncSession(people.engine) as plain:
        given = list(await plain.scalars(select(Person).order_by(Person.id).limit(3)))
        await plain.execute(renamed)
        found["lazy"] = [pet.id for each in given for pet in await each.awaitable_attrs.namesakes]
        plain.expunge_all()
        statement = select(Person).options(selectinload(Person.namesakes)).order_by(Person.id).limit(3)
        found["selectin"] = [pet.id for each in await plain.scalars(statement) for pet in each.namesakes]
        await plain.rollback()
    async with UnitOfWork(people) as unit:
        given = await models.People(unit).list(order_by=Person.id, limit=3)
        await unit.session.execute(renamed)
        found["batch"] = [pet.id for each in given for pet in await each.awaitable_attrs.namesakes]
    assert found == {"lazy": [0, 1, 2], "selectin": [1, 1, 1], "batch": [1, 1, 1]}
