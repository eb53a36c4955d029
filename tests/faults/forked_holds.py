"""What a process may hold of a `Database` while it forks: each gives what goes on with it, and ends with a commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import func, select, text

from dal import Database, UnitOfWork
from tests.models import Account, Accounts

Use: TypeAlias = Callable[[], Awaitable[Any]]
Hold: TypeAlias = Callable[[Database], AbstractAsyncContextManager[Use]]


@dataclass
class Named:
    """An account as far as it is read."""

    id: int
    owner: str


@asynccontextmanager
async def nothing(db: Database) -> AsyncGenerator[Use]:
    """Hold nothing: all connections are idle."""

    async def use() -> None:
        await Accounts(db).insert_many([_account()])

    yield use


@asynccontextmanager
async def session(db: Database) -> AsyncGenerator[Use]:
    """Hold a session in a transaction, that will send what it has not sent before."""
    async with db.begin() as held:
        await held.execute(text("SELECT 1"))

        async def use() -> None:
            held.add(Account(**_account()))
            await held.commit()

        yield use


@asynccontextmanager
async def prepared(db: Database) -> AsyncGenerator[Use]:
    """Hold a session that will send what it has prepared before."""
    async with db.begin() as held:
        await held.execute(select(func.count()).select_from(Account))

        async def use() -> None:
            await held.execute(select(func.count()).select_from(Account))
            held.add(Account(**_account()))
            await held.commit()

        yield use


@asynccontextmanager
async def unit(db: Database) -> AsyncGenerator[Use]:
    """Hold a unit of work that will read on the driver."""
    async with UnitOfWork(db) as held:
        accounts = Accounts(held)
        held.session.add(Account(**_account()))
        await held.session.flush()

        async def use() -> None:
            assert await accounts.list(into=Named)  # a test's program

        yield use


@asynccontextmanager
async def driver(db: Database) -> AsyncGenerator[Use]:
    """Hold asyncpg's connection, a transaction and a prepared statement of it."""
    async with db.checkout() as held:
        transaction = held.transaction()
        await transaction.start()
        statement = await held.prepare("INSERT INTO account VALUES (1, '1', 1)")

        async def use() -> None:
            await statement.fetch()
            await transaction.commit()

        yield use


@asynccontextmanager
async def lock(db: Database) -> AsyncGenerator[Use]:
    """Hold an advisory lock."""
    async with db.advisory_lock("forked") as held:

        async def use() -> None:
            await held.check()
            await Accounts(db).insert_many([_account()])

        yield use


@asynccontextmanager
async def stream(db: Database) -> AsyncGenerator[Use]:
    """Hold a stream with rows to come."""
    await Accounts(db).insert_many([{"id": n, "owner": str(n), "balance": 1} for n in range(2, 100)])
    async with Accounts(db).stream(into=Named, batch_rows=5) as rows:
        each = aiter(rows)
        await anext(each)

        async def use() -> None:
            async for _ in each:
                pass
            await Accounts(db).insert_many([_account()])

        yield use


@asynccontextmanager
async def lookup(db: Database) -> AsyncGenerator[Use]:
    """Hold a batch of lookups that is not sent yet."""
    accounts = Accounts(db)
    await asyncio.gather(*(accounts.get(n, into=Named) for n in range(5)))
    waiting = [asyncio.create_task(accounts.get(n, into=Named)) for n in range(5)]
    await asyncio.sleep(0)

    async def use() -> None:
        await accounts.get(1, into=Named)
        await accounts.insert_many([_account()])

    yield use
    await asyncio.gather(*waiting)


@asynccontextmanager
async def statement(db: Database) -> AsyncGenerator[Use]:
    """Hold a task that waits for its statement."""

    async def work() -> None:
        async with db.begin() as held:
            await held.execute(text("SELECT pg_sleep(1)"))
            held.add(Account(**_account()))

    working = asyncio.create_task(work())
    while not any(lease.running for lease in db.pool.leases()):  # noqa: ASYNC110 # a state that nobody tells of
        await asyncio.sleep(0.01)

    async def use() -> None:
        await Accounts(db).count()
        await working

    yield use


HOLDS: Final[dict[str, Hold]] = {
    each.__name__: each for each in (nothing, session, prepared, unit, driver, lock, stream, lookup, statement)
}

# With two connections it would be chance which of them sends a batch.
SIZES: Final[dict[Hold, int]] = {lookup: 1}


def _account() -> dict[str, Any]:
    return {"id": 1, "owner": "1", "balance": 1}
