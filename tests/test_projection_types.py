"""Values of every type are read as SQLAlchemy's own SELECT reads them: by themselves, nested, and as keys."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from dataclasses import make_dataclass
from typing import Annotated, Any
from uuid import UUID

import pytest
from sqlalchemy import URL, event, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from dal import Database, PoolConfig, UnitOfWork
from dal.projection import Expr, From
from dal.testing import Kit
from tests import projection_types as types
from tests.projection_models import repository_of
from tests.projection_types import (
    FAMILIES,
    TYPES,
    Door,
    Hall,
    Kinds,
    Loose,
    LooseChild,
    Narrow,
    Strict,
    StrictChild,
    Wide,
)

# The row in which everything is NULL.
EMPTY = 100


@pytest.fixture(scope="module")
def types_url(pg_kit: Kit) -> Generator[URL]:
    """Lend one database, filled once, to all that only read."""
    with pg_kit.database() as url:
        asyncio.run(_fill(url))
        yield url


@pytest.fixture(params=["driver", "sqlalchemy"])
async def typed(request: pytest.FixtureRequest, types_url: URL) -> AsyncGenerator[Database]:
    """Lend the database by each way."""
    async with Database(types_url, pool=PoolConfig(size=1)) as db:
        if request.param == "sqlalchemy":
            event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *_: None)
        yield db


async def _fill(url: URL) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as db:
        await types.create(db)
    async with Database(url, pool=PoolConfig(size=1)) as db, db.engine.begin() as connection:
        for number in range(3):
            row = {name: values[number % len(values)] for name, (_, values) in TYPES.items()}
            await connection.execute(Kinds.__table__.insert().values(_by_column(number, row)))
        for name in TYPES:
            for place, value in enumerate(TYPES[name][1][3:], 10 * (1 + list(TYPES).index(name))):
                await connection.execute(Kinds.__table__.insert().values(_by_column(EMPTY + place, {name: value})))
        await connection.execute(Kinds.__table__.insert().values({"id": EMPTY, "parent_id": 0}))
        for parent, child, values in FAMILIES.values():
            await connection.execute(parent.__table__.insert(), [{"key": key, "label": repr(key)} for key in values])
            keys = [*values, None, values[0]]
            rows = [{"id": place, "parent_key": key} for place, key in enumerate(keys)]
            await connection.execute(child.__table__.insert(), rows)


def _by_column(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return {"id": number, "parent_id": 0 if number else None, **{f"pt {name}": value for name, value in row.items()}}


def _told(values: Any) -> str:
    """Tell values apart that compare as equal, and not those that compare as different."""
    return repr([(type(value).__name__, value) for value in values])


async def _selected(db: Database, statement: Any) -> list[Any]:
    async with AsyncSession(db.engine) as session:
        return list((await session.scalars(statement)).all())


@pytest.mark.parametrize("name", TYPES)
async def test_a_value_is_what_a_select_gives(typed, name):
    column = getattr(Kinds, name)
    expected = _told(await _selected(typed, select(column).order_by(Kinds.id)))
    card = make_dataclass("Card", [("value", Annotated[Any, From(column)])])
    for _ in range(2):
        found = await repository_of(Kinds)(typed).list(into=card, order_by=Kinds.id)
        assert _told(each.value for each in found) == expected
    found = await repository_of(Kinds)(typed).list(into=column, order_by=Kinds.id)
    assert _told(found) == expected
    async with UnitOfWork(typed) as unit:
        found = await repository_of(Kinds)(unit).list(into=card, order_by=Kinds.id)
        assert _told(each.value for each in found) == expected


@pytest.mark.parametrize("name", TYPES)
async def test_a_nested_value_is_what_a_select_gives(typed, name):
    column = getattr(Kinds, name)
    expected = _told(await _selected(typed, select(column).where(Kinds.parent_id == 0).order_by(Kinds.id)))
    of_zero = _told(await _selected(typed, select(column).where(Kinds.id == 0)))
    card = make_dataclass("Card", [("value", Annotated[Any, From(column)])])
    parent = make_dataclass("Parent", [("children", list[card])])
    child = make_dataclass("Child", [("parent", card | None), ("same", Annotated[Any, From(Kinds.parent, column)])])
    [found] = await repository_of(Kinds)(typed).list(Kinds.id == 0, into=parent)
    assert _told(each.value for each in found.children) == expected
    for each in await repository_of(Kinds)(typed).list(Kinds.parent_id == 0, into=child):
        assert _told([each.parent.value]) == _told([each.same]) == of_zero
    [found] = await repository_of(Kinds)(typed).list(Kinds.id == 0, into=child)
    assert found.parent is None


async def test_json_null_and_sql_null_are_both_none_and_are_told_apart_by_the_server(typed):
    kind = Annotated[str | None, Expr(func.jsonb_typeof(Kinds.jsonb))]
    card = make_dataclass("Card", [("jsonb", Any), ("kind", kind)])
    found = await repository_of(Kinds)(typed).list(Kinds.jsonb.is_(None), into=card)
    assert {(each.jsonb, each.kind) for each in found} == {(None, None)}
    found = await repository_of(Kinds)(typed).list(func.jsonb_typeof(Kinds.jsonb) == "null", into=card)
    assert [(each.jsonb, each.kind) for each in found] == [(None, "null")]


@pytest.mark.parametrize("name", FAMILIES)
async def test_a_key_of_any_type_finds_its_children(typed, name):
    parent, child, values = FAMILIES[name]
    expected = await _children(typed, parent, child)
    card = make_dataclass("ChildCard", [("id", int)])
    with_children = make_dataclass("ParentCard", [("key", Any), ("children", list[card])])
    found = await repository_of(parent)(typed).list(into=with_children)
    assert {repr(each.key): [inner.id for inner in each.children] for each in found} == expected
    assert sorted(ids for each in expected.values() for ids in each) == [0, 1, len(values) + 1]


@pytest.mark.parametrize("name", FAMILIES)
async def test_a_key_of_any_type_finds_its_parent(typed, name):
    _, child, values = FAMILIES[name]
    card = make_dataclass("ParentCard", [("key", Any)])
    with_parent = make_dataclass("ChildCard", [("id", int), ("parent", card | None)])
    found = await repository_of(child)(typed).list(into=with_parent, order_by=child.id)
    expected = [*values, None, values[0]]
    assert _told(each.parent and each.parent.key for each in found) == _told(expected)


@pytest.mark.parametrize("name", FAMILIES)
async def test_a_key_of_any_type_is_looked_up(typed, name):
    parent, _, values = FAMILIES[name]
    repository, card = repository_of(parent)(typed), make_dataclass("ParentCard", [("key", Any)])
    assert _told([(await repository.get(values[1], into=card)).key]) == _told([values[1]])
    found = await repository.get_many([*reversed(values), values[1]], into=card)
    assert _told(each.key for each in found) == _told([*reversed(values), values[1]])
    assert await repository.exists(values[0])


async def _children(db: Database, parent: Any, child: Any) -> dict[str, list[int]]:
    """Load entities: by hand, for SQLAlchemy groups by what Python thinks equal too."""
    async with AsyncSession(db.engine) as session:
        statement = select(parent, child.id).join(child, child.parent_key == parent.key).order_by(child.id)
        found: dict[str, list[int]] = {}
        for each, number in (await session.execute(statement)).all():
            found.setdefault(repr(each.key), []).append(number)
    return found


COLOURS = list(types.Colour)


@pytest.fixture
async def odd_keys(typed: Database) -> Database:
    """Lend tables whose keys are equal to the server and not to Python, filled for this test."""
    rows: list[tuple[Any, list[dict[str, Any]]]] = [
        (Loose, [{"key": "Ab"}, {"key": "c"}]),
        (LooseChild, [{"id": place, "parent_key": key} for place, key in enumerate(["ab", "AB", None, "C"])]),
        (Strict, [{"key": UUID(int=1), "number": 1}, {"key": UUID(int=2), "number": 2}]),
        (StrictChild, [{"id": 0, "parent_key": str(UUID(int=1)), "number": 2}, {"id": 1, "number": None}]),
        (Wide, [{"key": 1}, {"key": 2**40}]),
        (Narrow, [{"id": 0, "parent_key": 1}]),
        (Hall, [{"house": house, "number": 1, "colour": colour} for house in "ab" for colour in COLOURS]),
        (Door, [{"id": 0, "house": "b", "number": 1, "colour": COLOURS[1]}, {"id": 1, "house": "b"}]),
    ]
    async with typed.engine.begin() as connection:
        for model, _ in reversed(rows):
            await connection.execute(model.__table__.delete())
        for model, several in rows:
            for row in several:
                await connection.execute(model.__table__.insert().values(row))
    return typed


ID: Any = make_dataclass("Id", [("id", int)])


def _ids(children: Any) -> list[int]:
    return [each.id for each in children]


async def test_children_whose_key_only_the_server_thinks_equal_are_found(odd_keys):
    card = make_dataclass("LooseCard", [("key", str), ("children", list[ID])])
    found = await repository_of(Loose)(odd_keys).list(into=card, order_by=Loose.key)
    assert [(each.key, _ids(each.children)) for each in found] == [("Ab", [0, 1]), ("c", [3])]


async def test_a_key_is_looked_up_as_the_server_compares_it(odd_keys):
    card = make_dataclass("LooseCard", [("key", str), ("children", list[ID])])
    found = await repository_of(Loose)(odd_keys).get("AB", into=card)
    assert (found.key, _ids(found.children)) == ("Ab", [0, 1])


async def test_many_keys_are_looked_up_as_the_server_compares_them(odd_keys):
    card = make_dataclass("LooseCard", [("key", str)])
    found = await repository_of(Loose)(odd_keys).get_many(["AB", "ab", "C", "d"], into=card)
    assert [each and each.key for each in found] == ["Ab", "Ab", "c", None]


async def test_children_that_hold_their_key_as_another_type_are_found(odd_keys):
    card = make_dataclass("StrictCard", [("number", int), ("children", list[ID]), ("by_number", list[ID])])
    found = await repository_of(Strict)(odd_keys).list(into=card, order_by=Strict.number)
    assert [(_ids(each.children), _ids(each.by_number)) for each in found] == [([0], []), ([], [0])]


async def test_children_whose_key_holds_fewer_numbers_are_found(odd_keys):
    card = make_dataclass("WideCard", [("key", int), ("children", list[ID])])
    found = await repository_of(Wide)(odd_keys).list(into=card, order_by=Wide.key)
    assert [(each.key, _ids(each.children)) for each in found] == [(1, [0]), (2**40, [])]


async def test_keys_of_text_integer_and_enum_find_their_children(odd_keys):
    card = make_dataclass("HallCard", [("house", str), ("colour", types.Colour), ("doors", list[ID])])
    found = await repository_of(Hall)(odd_keys).list(into=card, order_by=inspect(Hall).primary_key)
    assert [(each.house, each.colour, _ids(each.doors)) for each in found if each.doors] == [("b", COLOURS[1], [0])]
    door = make_dataclass("DoorCard", [("hall", make_dataclass("HallOnly", [("house", str)]) | None)])
    found = await repository_of(Door)(odd_keys).list(into=door, order_by=Door.id)
    assert [each.hall and each.hall.house for each in found] == ["b", None]


# A key as the driver or SQLAlchemy takes it too, though Python does not think it equal to what is read: who sends what
# came in a URL gets the row by either way.
SPELT_OTHERWISE = {"uuid": (0, str(UUID(int=1))), "numeric": (0, "1.50"), "char": (0, "ab"), "citext": (0, "AB")}


@pytest.mark.parametrize("name", SPELT_OTHERWISE)
async def test_a_key_that_is_spelt_otherwise_is_found_by_get_and_get_many_alike(typed, name):
    parent, _, values = FAMILIES[name]
    place, key = SPELT_OTHERWISE[name]
    card = make_dataclass("ParentCard", [("key", Any)])
    found = await repository_of(parent)(typed).get(key, into=card)
    assert _told([found.key]) == _told([values[place]])
    assert await repository_of(parent)(typed).get_many([key, values[1]], into=card) == [found, card(values[1])]


def test_every_type_that_a_mapping_names_is_tried():
    assert len(TYPES) >= 50
