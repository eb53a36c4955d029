"""Whatever happened in a unit of work before, a batch gives what SQLAlchemy's lazy loads give one by one."""

from __future__ import annotations

import asyncio
import warnings
from random import Random
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import exc, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import exc as orm_exc

from dal import Database, UnitOfWork
from dal.errors import NotLoaded
from dal.loading import load
from tests import loading_models as models
from tests.loading_histories import Drawing, Key, Side, Step, is_limiting, key_of, relationships_of
from tests.loading_models import Base
from tests.projection_rows import Rows, replace, rows_of

# Not made smaller: an example is some hundred statements.
PHASES: Final = [phase for phase in Phase if phase is not Phase.shrink]
PROPERTY: Final = settings(
    max_examples=60,
    deadline=None,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
RANDOM: Final = st.randoms(use_true_random=False)
TABLES: Final = [table for table in Base.metadata.sorted_tables if not table.name.startswith("ld_by_")]
KINDS: Final = {"ld_manager": "manager", "ld_engineer": "engineer"}
RELATIONSHIPS: Final = {name for mapper in Base.registry.mappers for name in mapper.relationships.keys()}  # noqa: SIM118
# How far from what was read. What is reached from two, of whom one came with an option for all that is reached from
# him, is read as the first one says: so no further than this where there is such an option.
ROUNDS: Final = 2

# Of what is held, an attribute to read.
Wish = tuple[Key, str]


@pytest.fixture
async def loaded(db: Database) -> Database:
    """Lend `db` with the tables, all empty."""
    await models.create(db)
    return db


class Undone(Exception):
    """Rolls back."""


@PROPERTY
@given(random=RANDOM)
async def test_a_batch_is_what_sqlalchemy_loads_one_by_one(loaded, random):
    rows = _rows(random)
    await replace(loaded, rows)
    history, autoflush = Drawing(random, rows).history(), random.random() < 0.7
    note(f"{autoflush=}")
    for step in history:
        note(repr(step))
    way, seed = random.choice(_ways(history)), random.random()
    told_apart = _names_told_apart(history, autoflush=autoflush)
    if way != "one by one" and autoflush:
        history.append(("flush",))  # which else comes with the first statement, and which is first is not said
    note(way)
    plain, wishes = await _plain(loaded, history, autoflush=autoflush, seed=seed)
    batched = await _batched(loaded, history, wishes, autoflush=autoflush, way=way)
    if "lost" in plain.values():
        return
    # A batch may reach more: what was reached from somebody loads for those, too, who come with him.
    for name, value in plain.items():
        if told_apart and (name[1] == "namesakes" or batched.get(name) == "nobody"):
            continue  # nor is who is reached only by a name that the session has
        if _is_open(history) and (name[1] in RELATIONSHIPS or batched.get(name, "nobody") == "nobody"):
            continue
        assert (name, batched.get(name)) == (name, value)
    assert batched.get("refused") == plain.get("refused")


def _ways(history: list[Step]) -> list[str]:
    """Give the orders in which a unit of work may load.

    Who was expired takes the limits of the load that reads him again first; that is another one if tasks are gathered,
    which all read columns before relationships.
    """
    return ["one by one", "explicit first"] if _is_open(history) else ["one by one", "gathered", "explicit first"]


def _is_open(history: list[Step]) -> bool:
    """Tell whether somebody may have been expired who came with a limit: also a batch for others reads him again."""
    return is_limiting(history) and any(step[0].startswith("expire") for step in history)


def _names_told_apart(history: list[Step], *, autoflush: bool) -> bool:
    """Tell whether the session and the server may have different names of somebody.

    By a column that is no foreign key a lazy load of SQLAlchemy's looks for what the session has of it, selectinload
    for what the server has: see `test_a_column_that_was_changed_behind_the_session_is_as_the_server_has_it`.
    """
    changes = {"behind"} if autoflush else {"behind", "set", "undone"}
    return any(step[0] in changes for step in history)


def _rows(random: Random) -> Rows:
    rows = rows_of(random, TABLES, KINDS)
    passports = rows[Base.metadata.tables["ld_passport"]]
    for number, row in enumerate(passports):
        if any(row["person_id"] == other["person_id"] for other in passports[:number]):
            row["person_id"] = None
    return rows


async def _plain(
    db: Database, history: list[Step], *, autoflush: bool, seed: float
) -> tuple[dict[Any, Any], list[list[Wish]]]:
    """Do it in a session of SQLAlchemy's, and say what was read, in which order."""
    rounds: list[list[Wish]] = []
    known: set[Key] = set()
    async with AsyncSession(db.engine, autoflush=autoflush, expire_on_commit=False) as session:
        side = Side(session)
        found = await _past(side, history)
        for _ in range(0 if found else 1 if is_limiting(history) else ROUNDS):
            wishes = [(key, name) for key in sorted(side.held.keys() - known) for name in _names(side.held[key])]
            known = set(side.held)
            Random(seed).shuffle(wishes)
            rounds.append(wishes)
            for wish in wishes:
                found[wish] = await _loaded(side, wish)
            side.hold()
        found = await _rest(side, found)
        await session.rollback()
    return found, rounds


async def _batched(
    db: Database, history: list[Step], rounds: list[list[Wish]], *, autoflush: bool, way: str
) -> dict[Any, Any]:
    """Do it in a unit of work."""
    found: dict[Any, Any] = {}
    try:
        async with UnitOfWork(db) as unit:
            unit.session.sync_session.autoflush = autoflush
            side = Side(unit.session)
            found = await _past(side, history)
            for wishes in rounds:
                if way == "explicit first":
                    await _load_explicitly(side, wishes)
                if way == "gathered":
                    found.update(
                        zip(wishes, await asyncio.gather(*(_loaded(side, wish) for wish in wishes)), strict=True)
                    )
                else:
                    for wish in wishes:
                        found[wish] = await _loaded(side, wish)
                side.hold()
            found = await _rest(side, found)
            raise Undone  # noqa: TRY301 # what a unit of work is rolled back by
    except Undone:
        return found


async def _past(side: Side, history: list[Step]) -> dict[Any, Any]:
    """Do what was before; the server's refusal ends it."""
    for number, step in enumerate(history):
        try:
            with warnings.catch_warnings(action="ignore", category=exc.SAWarning):
                await side.do(step)
        except exc.SQLAlchemyError:
            return {"refused": number}
    return {}


async def _loaded(side: Side, wish: Wish) -> Any:
    key, name = wish
    if key not in side.held:
        return "nobody"
    try:
        with warnings.catch_warnings(action="ignore", category=exc.SAWarning):
            value = await getattr(side.held[key].awaitable_attrs, name)
    except (NotLoaded, orm_exc.DetachedInstanceError):
        return "detached"
    except IndexError:
        return "lost"  # SQLAlchemy's own way, for who was read with populate_existing first and with options then
    except exc.SQLAlchemyError as error:
        note(f"{wish}: {error}")
        return "deleted" if isinstance(error, orm_exc.ObjectDeletedError) else "refused"
    return value


async def _load_explicitly(side: Side, wishes: list[Wish]) -> None:
    """Load what is wished of whole classes, but for what an option limits: that is for lazy loads only."""
    for name in dict.fromkeys((key[0], name) for key, name in wishes):
        entities = [side.held[key] for key, wished in wishes if (key[0], wished) == name and key in side.held]
        there = [each for each in entities if inspect(each).persistent and name[1] not in inspect(each).callables]
        for model in {type(each) for each in there}:
            try:
                await load([each for each in there if type(each) is model], getattr(model, name[1]))
            except (exc.SQLAlchemyError, IndexError) as error:
                note(f"load: {error}")
                return


async def _rest(side: Side, found: dict[Any, Any]) -> dict[Any, Any]:
    """Give what there is in the end: collections as they are, columns, what is to be written, and what is written."""
    if found.get("refused") or "lost" in found.values():
        return found
    rest: dict[Any, Any] = {wish: _shown(value) for wish, value in found.items()} | await _columns(side)
    if "refused" in rest.values():
        return {"refused": True}
    session = side.session.sync_session
    for name in ("new", "deleted"):
        rest[name] = sorted(map(key_of, getattr(session, name)))
    # To compare a value with the one before may load that.
    rest["dirty"] = await side.session.run_sync(
        lambda session: sorted(key_of(each) for each in session.dirty if session.is_modified(each))
    )
    try:
        with warnings.catch_warnings(action="ignore", category=exc.SAWarning):
            await side.session.flush()
    except exc.SQLAlchemyError as error:
        note(f"flush: {error}")
        return {"refused": True}
    for table in TABLES:
        rest[table.name] = sorted(map(repr, await side.session.execute(select(table))))
    return rest


async def _columns(side: Side) -> dict[Any, Any]:
    columns: dict[Any, Any] = {}
    for key in sorted(side.held):
        for prop in inspect(type(side.held[key])).column_attrs:
            columns[key, prop.key] = await _loaded(side, (key, prop.key))
    return columns


def _shown(value: Any) -> Any:
    """Name entities by what is the same in every session; collections without their order, which few have."""
    if isinstance(value, Base):
        return key_of(value)
    if isinstance(value, dict):
        return {key: key_of(each) for key, each in value.items()}
    return sorted(map(key_of, value)) if isinstance(value, list | set) else value


def _names(entity: Any) -> list[str]:
    return relationships_of(type(entity))
