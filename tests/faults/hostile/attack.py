"""Gives hostile inputs to the doors of a real server, and looks at the canaries after every few of them.

python -m tests.faults.hostile.attack INPUTS SEED FOLDER [URL]
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

from dal import Database, PoolConfig
from dal.testing import Kit, Schema
from dal.testing.server import server_url
from tests.faults.hostile.canary import Canary
from tests.faults.hostile.doors_open import OPEN, command
from tests.faults.hostile.doors_read import READ
from tests.faults.hostile.doors_write import WRITE
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.found import Findings
from tests.faults.hostile.part import Found
from tests.faults.hostile.world import Door, World, furnish
from tests.looking import connect

DOORS: Final[dict[str, Door]] = {door.name: door for door in (*READ, *WRITE, *OPEN)}
COMMANDS: Final = "commands"
HANGS_S: Final = 15.0
# A look at the canaries takes as long as ten inputs.
_BATCH: Final = 100
_SIZES: Final = (3, 8, 16, 32, 64, 150)


@contextmanager
def folder() -> Iterator[Path]:
    """Lend a folder for files."""
    path = Path(tempfile.mkdtemp(prefix="dal-hostile-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def world_at(url: URL, path: Path) -> AsyncGenerator[tuple[World, Canary]]:
    """Furnish the database of *url*, and lend it with its canary."""
    outside = await connect(url)
    try:
        async with Database(url, pool=PoolConfig(size=2, checkout_timeout_s=5.0)) as db:
            await furnish(db, outside)
            canary = Canary(outside)
            await canary.perch()
            yield World(db, url, outside, path), canary
    finally:
        await outside.close()


async def give(world: World, door: Door, data: bytes) -> None:
    """Give a door one input; raises what is no documented answer to it, and `Found` for no answer at all."""
    try:
        async with asyncio.timeout(HANGS_S) as limit:
            await door.enter(world, Draw(data))
    except Exception as error:
        if limit.expired():
            raise Found(f"no answer within {HANGS_S} s") from error
        if not door.expects(error):
            raise


async def look(world: World, canary: Canary) -> None:
    """Look at the canaries, and at all connections of the pool."""
    async with world.db.checkout() as one, world.db.checkout() as other:
        await canary.settled(one)
        await canary.settled(other)
    await canary.check()


async def attack(url: URL, path: Path, inputs: int, seed: str, out: Path) -> dict[str, tuple[int, float]]:
    """Give the doors so many inputs together; gives how many each had, and the seconds that they took."""
    chosen = random.Random(f"{seed} doors")
    findings = {name: Findings(name, out) for name in DOORS}
    told = dict.fromkeys(DOORS, (0, 0.0))
    names, shares = list(DOORS), [door.share for door in DOORS.values()]
    batch: list[tuple[str, bytes]] = []
    async with world_at(url, path) as (world, canary):
        for number in range(1, inputs + 1):
            name = chosen.choices(names, shares)[0]
            data = random.Random(f"{seed} {number}").randbytes(chosen.choice(_SIZES))
            batch.append((name, data))
            started = time.perf_counter()
            try:
                await give(world, DOORS[name], data)
            except Exception as error:  # whatever comes out is what is looked for
                findings[name].add(error, data)
            told[name] = (told[name][0] + 1, told[name][1] + time.perf_counter() - started)
            if number % _BATCH == 0 or number == inputs:
                await _blame(world, canary, batch, findings)
                batch.clear()
    return told


async def _blame(world: World, canary: Canary, batch: list[tuple[str, bytes]], findings: dict[str, Findings]) -> None:
    """Look at the canaries; where one is silent, give the batch once more, one by one, and find which it was."""
    try:
        await look(world, canary)
    except Found:
        for name, data in batch:
            try:
                await give(world, DOORS[name], data)
            except Exception:  # was noted before
                continue
            finally:
                try:
                    await look(world, canary)
                except Found as again:
                    findings[name].add(again, data)
                    error = again
        findings[batch[-1][0]].add(error, batch[-1][1], f"one of the {len(batch)} inputs up to here: {error}")


async def _prepared(url: URL) -> None:
    outside = await connect(url)
    try:
        async with Database(url, pool=PoolConfig(size=1)) as db:
            await furnish(db, outside)
    finally:
        await outside.close()


def type_commands(url: URL, path: Path, inputs: int, seed: str, out: Path) -> tuple[int, float]:
    """Type so many command lines."""
    findings, started = Findings(COMMANDS, out), time.perf_counter()
    asyncio.run(_prepared(url))
    world = World(None, url, None, path)  # type: ignore[arg-type] # the command connects by itself
    for number in range(inputs):
        source = random.Random(f"{seed} command {number}")
        data = source.randbytes(source.choice(_SIZES))
        try:
            command(world, Draw(data))
        except Exception as error:  # see above
            findings.add(error, data)
    return inputs, time.perf_counter() - started


def type_again(saved: Sequence[bytes], url: URL, path: Path) -> bool:
    """Type command lines once more; raises what was found."""
    asyncio.run(_prepared(url))
    for data in saved:
        command(World(None, url, None, path), Draw(data))  # type: ignore[arg-type] # see above
    return True


@contextmanager
def database() -> Iterator[URL]:
    """Lend a database of its own on an embedded server."""
    with server_url("hostile", in_memory=True) as server:
        kit = Kit(server, Schema(), statement_timeout_s=10.0)
        try:
            with kit.empty_database() as url:
                yield url
        finally:
            kit.close()


def main(inputs: str, seed: str, out: str, address: str = "") -> None:
    """Attack a server with so many inputs, of which one in forty is a command, and write what came of it to *out*."""
    warnings.simplefilter("ignore")  # of SQLAlchemy, about names
    commands = int(inputs) // 40
    with nullcontext(make_url(address)) if address else database() as url, folder() as path:
        told = asyncio.run(attack(url, path, int(inputs) - commands, seed, Path(out)))
        told[COMMANDS] = type_commands(url, path, commands, seed, Path(out))
    (Path(out) / "told").write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
