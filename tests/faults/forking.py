"""A program that forks while it holds something, for `test_fork`: `python -m tests.faults.forking HOLD URL OTHER_URL`.

It prints "ready" and waits for a line; then it forks once for each of `CHILDREN` that are named in that line, goes on
with what it holds, and prints, as one line of JSON, what became of each child.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from dal import Database, PoolConfig
from dal.errors import DALError
from tests.faults.forked_holds import HOLDS, SIZES, Hold, Use
from tests.models import Accounts

Child: TypeAlias = Callable[[Database, Use, str], Awaitable[Any]]


async def _uses(_db: Database, use: Use, _url: str) -> None:
    await use()


async def _reads(db: Database, _use: Use, _url: str) -> None:
    async with db.reading():
        await Accounts(db).count()


async def _closes(db: Database, _use: Use, _url: str) -> None:
    await db.close()
    assert db.pool.status().checked_out == db.pool.status().idle == 0  # a test's program


async def _disposes(db: Database, _use: Use, _url: str) -> None:
    await db.engine.dispose()


async def _terminates(_db: Database, _use: Use, _url: str) -> None:
    for each in gc.get_objects():
        if type(each).__module__ == "dal.pool.connection" and hasattr(each, "terminate"):
            each.terminate()
            await each.close()
    gc.collect()


async def _makes_its_own(_db: Database, _use: Use, url: str) -> None:
    async with Database(url, pool=PoolConfig(size=1)) as own:
        await Accounts(own).count()


CHILDREN: Final[dict[str, Child]] = {
    "goes_on": _uses,
    **{each.__name__.strip("_"): each for each in (_uses, _reads, _closes, _disposes, _terminates, _makes_its_own)},
}


def main(hold: str, url: str, other_url: str) -> None:
    """Hold, fork, go on."""
    told: dict[str, list[Any]] = {}
    runner = asyncio.Runner()  # in no `with`: a child that exits is to leave everything as it is
    loop = runner.get_loop()
    held, go_on = loop.create_future(), loop.create_future()
    work = loop.create_task(_work(HOLDS[hold], url, held, go_on))
    given = (*runner.run(_answer(held)), other_url)
    _say("ready")
    for name in sys.stdin.readline().split():
        if name == "inside":
            go_on.set_result(told)
        else:
            told[name] = _fork(functools.partial(_be, name, runner, given))
    if not go_on.done():
        go_on.set_result(None)
    runner.run(_answer(work))
    runner.close()
    _say(json.dumps(told))


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def _work(
    hold: Hold, url: str, held: asyncio.Future[Any], go_on: asyncio.Future[dict[str, list[Any]] | None]
) -> None:
    async with Database(url, pool=PoolConfig(size=SIZES.get(hold, 2))) as db, hold(db) as use:
        held.set_result((db, use))
        told = await go_on
        if told is not None:
            told["inside"] = _fork(lambda _: sys.exit(7))
        await use()


async def _answer(future: asyncio.Future[Any]) -> Any:
    return await future


def _fork(child: Callable[[int], None]) -> list[Any]:
    """Give what the child writes into the pipe that it is called with, and its exit status."""
    there, here = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(there)
        child(here)
    os.close(here)
    with os.fdopen(there) as words:
        said = words.read()
    _, status = os.waitpid(process, 0)  # which blocks: nobody else is to run meanwhile
    return [said, os.waitstatus_to_exitcode(status)]


def _be(name: str, runner: asyncio.Runner, given: tuple[Database, Use, str], here: int) -> None:
    if name == "exits":
        sys.exit(7)
    if name == "winds_up":
        runner.close()
        gc.collect()
        os._exit(0)
    status = 1
    try:
        work = _error_of(CHILDREN[name](*given))
        os.write(here, (runner.run(work) if name == "goes_on" else asyncio.run(work)).encode())
        status = 0
    finally:
        os._exit(status)


async def _error_of(work: Awaitable[Any]) -> str:
    try:
        await work
    except DALError as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
