"""A projection is what SQLAlchemy loads and somebody copies by hand: any mapping, rows, types, filters and orders."""

from collections.abc import AsyncGenerator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, inspect, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from dal import Database, PoolConfig, UnitOfWork
from tests import projection_models as models
from tests.projection_drawn import Drawing, Want, numbers_of
from tests.projection_rows import replace, rows_of
from tests.projection_schemas import Drawn

# Not made smaller: an example is some fifty statements.
PHASES = [phase for phase in Phase if phase is not Phase.shrink]
PROPERTY = settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
RANDOM = st.randoms(use_true_random=False)
# How many types are read of the same rows.
READS = 4


@pytest.fixture
async def library(db: Database) -> Database:
    """Lend `db` with the tables, all empty."""
    await models.create(db)
    return db


@pytest.fixture
async def hooked(db: Database) -> AsyncGenerator[Database]:
    """Lend the same database by SQLAlchemy's own way, which somebody listens to."""
    async with Database(db.config.url, pool=PoolConfig(size=1)) as other:
        event.listen(other.engine.sync_engine, "before_cursor_execute", lambda *_: None)
        yield other


class Asked:
    """A read of one class, the same for entities and for a type."""

    def __init__(self, random: Random, model: Any) -> None:
        keys = [getattr(model, inspect(model).get_property_by_column(key).key) for key in inspect(model).primary_key]
        numbers = [getattr(model, name) for name in numbers_of(inspect(model))]
        self.model = model
        self.where = [_condition(random, model) for _ in range(random.randint(0, 2))]
        by_number = [random.choice(numbers).desc()] if numbers and random.random() < 0.3 else []
        self.order_by = [*by_number, *keys]
        self.limit = random.choice([None, None, 1, 2])

    async def expected(self, db: Database, want: Want) -> list[Any]:
        """Load entities and copy them by hand."""
        statement = select(self.model).where(*self.where).order_by(*self.order_by).limit(self.limit)

        def load(session: Any) -> list[Any]:
            entities = session.scalars(statement.options(*want.options(self.model))).all()
            return [want.of_entity(session, entity) for entity in entities]

        async with AsyncSession(db.engine) as session:
            return await session.run_sync(load)

    async def read(self, source: Any, want: Want) -> list[Any]:
        """Read into the type."""
        repository = models.repository_of(self.model)(source)
        found = await repository.list(*self.where, into=want.type, order_by=self.order_by, limit=self.limit)
        return [want.of_object(each) for each in found]


def _condition(random: Random, model: Any) -> Any:
    mapper = inspect(model)
    conditions = [getattr(model, name).in_([random.randint(0, 4), 1, 2]) for name in numbers_of(mapper)]
    conditions += [getattr(model, name) >= random.randint(0, 2) for name in numbers_of(mapper)]
    for prop in sorted(mapper.relationships, key=lambda prop: prop.key):
        inside = numbers_of(prop.mapper)
        related = [getattr(prop.mapper.class_, random.choice(inside)) > 1] if inside and random.random() < 0.5 else []
        exists = getattr(model, prop.key).any if prop.uselist else getattr(model, prop.key).has
        conditions += [exists(*related), ~exists(*related)]
    return random.choice(conditions or [true()])


@PROPERTY
@given(random=RANDOM)
async def test_it_is_what_sqlalchemy_loads(library, hooked, random):
    await replace(library, rows_of(random, models.Base.metadata.sorted_tables, models.KINDS))
    for _ in range(READS):
        await _compare(library, hooked, random, random.choice(models.CLASSES))


@PROPERTY
@given(random=RANDOM)
async def test_it_is_what_sqlalchemy_loads_of_any_mapping(db, hooked, random):
    drawn = Drawn(random)
    await drawn.create(db)
    try:
        await replace(db, rows_of(random, drawn.base.metadata.sorted_tables))
        for _ in range(READS):
            await _compare(db, hooked, random, random.choice(drawn.classes))
    finally:
        await drawn.drop(db)


async def _compare(library: Database, hooked: Database, random: Random, model: Any) -> None:
    want, asked = Drawing(random).type(model, random.randint(0, 3)), Asked(random, model)
    expected = await asked.expected(library, want)
    for source in (library, library, hooked):
        assert await asked.read(source, want) == expected
    async with UnitOfWork(library) as unit:
        assert await asked.read(unit, want) == expected
    async with UnitOfWork(hooked) as unit:
        assert await asked.read(unit, want) == expected


@PROPERTY
@given(random=RANDOM)
async def test_by_keys_it_is_what_sqlalchemy_gets(library, hooked, random):
    await replace(library, rows_of(random, models.Base.metadata.sorted_tables, models.KINDS))
    for _ in range(READS):
        model = random.choice(models.CLASSES)
        want = Drawing(random).type(model, random.randint(0, 2))
        expected, keys = await _by_key(library, model, want)
        random.shuffle(keys)
        for source in (library, hooked):
            repository = models.repository_of(model)(source)
            found = await repository.get_many([*keys, *keys[:1]], into=want.type)
            assert [want.of_object(each) for each in found] == [expected[key] for key in [*keys, *keys[:1]]]
            for key in keys[:2]:
                assert want.of_object(await repository.get(key, into=want.type)) == expected[key]


async def _by_key(db: Database, model: Any, want: Want) -> tuple[dict[Any, Any], list[Any]]:
    def load(session: Any) -> dict[Any, Any]:
        entities = session.scalars(select(model).options(*want.options(model))).all()
        return {inspect(each).identity: want.of_entity(session, each) for each in entities}

    async with AsyncSession(db.engine) as session:
        expected = await session.run_sync(load)
    return expected, list(expected)
