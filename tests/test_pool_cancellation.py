"""A task may be cancelled at any step of its use of a connection, in any way: the pool is whole, and serves at once.

Each step of a connection's life goes well, fails, is slow, or never ends, on a network and a server made to do so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.errors import DALError
from dal.testing.network import Network
from tests.cancelling import (
    at_once,
    cancelled_on_every_tick,
    cancelled_once,
    is_within_its_size,
    serves,
    ticks,
    timed_out,
    until_quiet,
)
from tests.looking import backends, drivers, until, until_closed, until_running

SLOW_S = 0.01


@dataclass
class Scene:
    """A pool, what is around it, and what the task under test does with it."""

    db: Database
    network: Network
    outside: asyncpg.Connection
    statement: str = "SELECT 1"
    before_the_end: Callable[[], object] = lambda: None
    at_the_end: asyncio.Event = field(default_factory=asyncio.Event)


class Undo(Exception):
    """Rolls a transaction back."""


async def reading(scene: Scene) -> None:
    async with scene.db.reading() as session:
        await session.execute(text(scene.statement))


async def writing(scene: Scene) -> None:
    async with scene.db.writing() as session:
        await session.execute(text(scene.statement))
        scene.before_the_end()
        scene.at_the_end.set()
        raise Undo


async def engine(scene: Scene) -> None:
    async with scene.db.engine.connect() as connection:
        await connection.execute(text(scene.statement))
        scene.before_the_end()
        scene.at_the_end.set()


async def native(scene: Scene) -> None:
    async with scene.db.checkout() as driver:
        await driver.execute(scene.statement)


@asynccontextmanager
async def connect_(scene: Scene, outcome: str) -> AsyncGenerator[Any]:
    lost = await drivers(scene.db)
    scene.network.cut()
    await until_closed(lost)
    {
        "ok": lambda: None,
        "error": scene.network.refuse,
        "slow": lambda: scene.network.delay(SLOW_S),
        "never": scene.network.hold,
    }[outcome]()
    yield (lambda: until(lambda: scene.network.held > 0)) if outcome == "never" else at_once


@asynccontextmanager
async def init(scene: Scene, outcome: str) -> AsyncGenerator[Any]:
    # SQLAlchemy puts its questions to a server once in an engine's life.
    await scene.db.close()
    scene.db = Database(scene.network.url, pool=scene.db.config.pool)
    if outcome == "error":
        scene.network.cut_at("select", answered=False)
    elif outcome != "ok":
        scene.network.delay(SLOW_S)

    async def connected() -> None:
        async def shows() -> bool:
            return any("select" in row["query"].lower() for row in await backends(scene.outside))

        await until(shows)
        scene.network.black_hole()

    try:
        yield connected if outcome == "never" else at_once
    finally:
        scene.network.heal()


@asynccontextmanager
async def checkout(scene: Scene, outcome: str) -> AsyncGenerator[Any]:
    async with AsyncExitStack() as held:
        if outcome != "ok":
            for _ in range(scene.db.pool.size()):
                await held.enter_async_context(scene.db.checkout())
        if outcome == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, lambda: asyncio.create_task(held.aclose()))
        yield (lambda: until(lambda: scene.db.pool.status().waiting > 0)) if outcome == "never" else at_once


@asynccontextmanager
async def statement(scene: Scene, outcome: str) -> AsyncGenerator[Any]:
    scene.statement = {
        "ok": "SELECT 1",
        "error": "SELECT 1/0",
        "slow": f"SELECT pg_sleep({SLOW_S})",
        "never": "SELECT pg_sleep(60)",
    }[outcome]
    yield (lambda: until_running(scene.outside, "pg_sleep")) if outcome == "never" else at_once
    scene.statement = "SELECT 1"


@asynccontextmanager
async def rollback(scene: Scene, outcome: str) -> AsyncGenerator[Any]:
    def arm() -> None:
        {
            "ok": lambda: None,
            "error": lambda: scene.network.cut_at("ROLLBACK", answered=False),
            "slow": lambda: scene.network.delay(SLOW_S),
            "never": scene.network.black_hole,
        }[outcome]()
        if outcome == "never":
            # A rollback that is under way is finished, so its task ends with the fault.
            asyncio.get_running_loop().call_later(SLOW_S, scene.network.heal)

    scene.before_the_end = arm
    yield scene.at_the_end.wait


@asynccontextmanager
async def checkin(scene: Scene, outcome: str) -> AsyncGenerator[Any]:
    # All connections have just come back, and are reset: the task waits for the end of that.
    async with AsyncExitStack() as held:
        for _ in range(scene.db.pool.size()):
            await held.enter_async_context(scene.db.checkout())
        {
            "ok": lambda: None,
            "error": lambda: scene.network.cut_at("SELECT", answered=False),
            "slow": lambda: scene.network.delay(SLOW_S),
            "never": scene.network.black_hole,
        }[outcome]()
    yield at_once


STAGES = [connect_, init, checkout, statement, rollback, checkin]
WAYS_IN = [reading, writing, engine, native]
# It had ended before, or failed by a name that dal gives, or was stopped.
ENDS = (type(None), Undo, DALError, asyncio.CancelledError, TimeoutError)
# Turns of the loop: a connect has many, and each costs a new connection.
FEW, MANY = (1, 8), (0, 1, 2, 3, 5, 8, 13)


def combinations():
    for stage in STAGES:
        for outcome in ("ok", "error", "slow", "never"):
            if stage is checkout and outcome == "error":
                continue  # the one error of a checkout is its timeout, which ends it as a cancellation does
            yield pytest.param(stage, outcome, id=f"{stage.__name__.strip('_')}-{outcome}")


def doors(stage):
    if stage is rollback:
        return [writing, engine]  # the others are in no transaction
    if stage in {connect_, init}:
        return [writing, native]  # which are opened in the background, for whatever door
    return WAYS_IN


def moments(stage, outcome):
    if outcome not in {"ok", "slow"}:
        return (0,)  # in the midst of it
    return FEW if stage in {connect_, init} else MANY


@pytest.fixture
async def scene(database_url, faulty_network, outside):
    pool = PoolConfig(size=2, min_idle=0, connect_timeout_s=1, recycling="verified")
    async with Database(database_url, pool=pool) as db:
        scene = Scene(db, faulty_network, outside)
        yield scene
        await scene.db.close()


async def _is_within_two(outside):
    return len(await backends(outside)) <= 2


@pytest.mark.parametrize("way", [cancelled_once, cancelled_on_every_tick, timed_out], ids=lambda way: way.__name__)
@pytest.mark.parametrize(("stage", "outcome"), list(combinations()))
async def test_a_pool_is_whole_after_a_cancellation(scene, stage, outcome, way):
    for door in doors(stage):
        for moment in moments(stage, outcome):
            scene.at_the_end.clear()
            async with stage(scene, outcome) as begun:
                end = await way(door(scene), ticks(moment, after=begun))
                assert isinstance(end, ENDS), repr(end)
                assert is_within_its_size(scene.db), scene.db.pool.status()
            scene.network.heal()
            assert await serves(scene.db)
            assert scene.db.pool.leases() == []
            assert is_within_its_size(scene.db), scene.db.pool.status()
            await until_quiet(scene.outside)
            await until(partial(_is_within_two, scene.outside))  # a backend takes a moment to hear of its end
