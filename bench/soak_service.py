"""A service under mixed load: what its requests do, and how often each kind comes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, TypeAlias

from sqlalchemy import text

from bench.soak_churn import CHURNS
from bench.soak_rows import PURSES, AllBooked, Booked, Parcel, Parcels, Purse, Purses
from dal import Database, UnitOfWork
from dal.errors import DALError, LockNotAvailable, UniqueViolation

_LOAD_ROWS: Final = 30
_TIMEOUT_S: Final = 0.005
_SLEEP: Final = text("SELECT pg_sleep(0.02)")


@dataclass
class Card:
    """A purse as most requests read it."""

    id: int
    owner: str
    balance: int


@dataclass
class Service:
    """One `Database` under load; every request draws its keys from the same seed."""

    db: Database
    draw: random.Random
    errors: Counter[str] = field(default_factory=Counter)
    numbers: count[int] = field(default_factory=count)

    async def request(self) -> bool:
        """Serve one request of a kind that is drawn; False, and counted, for an error that no kind asked for."""
        [kind] = self.draw.choices(_KINDS, _WEIGHTS)
        try:
            await kind(self)
        except DALError as error:
            self.errors[f"{kind.__name__} {type(error).__name__}"] += 1
            return False
        return True

    def key(self) -> int:
        """Draw the key of a purse."""
        return self.draw.randint(1, PURSES)

    def expect(self, kind: type[BaseException]) -> None:
        """Count an error that was made on purpose."""
        self.errors[f"on purpose {kind.__name__}"] += 1


Kind: TypeAlias = Callable[[Service], Awaitable[Any]]


async def look_up(service: Service) -> None:
    await Purses(service.db).get(service.key(), into=Card)


async def read(service: Service) -> None:
    await Purses(service.db).list(Purse.id == service.key(), into=Card)


async def transfer(service: Service) -> None:
    one, other = service.key(), service.key()

    async def move(unit: UnitOfWork) -> None:
        purses = Purses(unit)
        source, target = await purses.get_one(one), await purses.get_one(other)
        amount = min(source.balance, 1)
        source.balance -= amount
        target.balance += amount

    await service.db.run(move, UnitOfWork, isolation="serializable")


async def page(service: Service) -> None:
    order_by = [Purse.balance.desc(), Purse.id]
    first = await Purses(service.db).page(order_by=order_by, limit=10, into=Card)
    await Purses(service.db).page(order_by=order_by, limit=10, into=Card, after=first.next)


async def load_relationships(service: Service) -> None:
    async with UnitOfWork(service.db) as unit:
        purses = await Purses(unit).list(Purse.id.between(key := service.key(), key + 20))
        for purse in purses:
            await purse.awaitable_attrs.booked


async def copy_in(service: Service) -> None:
    batch = next(service.numbers)
    await Parcels(service.db).copy_in([{"batch": batch, "number": n, "note": "new"} for n in range(_LOAD_ROWS)])
    await Parcels(service.db).delete_where(Parcel.batch == batch)


async def upsert(service: Service) -> None:
    now, keys = datetime.now(UTC), {service.key() for _ in range(5)}
    # In the order of their keys: two at a time would otherwise wait for each other.
    rows = [{"id": key, "owner": f"owner {key}", "balance": 1000, "touched": now} for key in sorted(keys)]
    await Purses(service.db).upsert_many(rows, update=[Purse.touched])


async def stream(service: Service) -> None:
    async with Purses(service.db).stream(Purse.id <= 300, into=Card, batch_rows=100) as cards:
        async for _ in cards:
            pass


async def book(service: Service) -> None:
    booked = await AllBooked(service.db).insert_many([{"purse_id": service.key(), "amount": 1}], returning=[Booked.id])
    await AllBooked(service.db).delete_where(Booked.id == booked[0].id)


async def violate(service: Service) -> None:
    try:
        async with UnitOfWork(service.db) as unit:
            row = {"id": service.key(), "owner": "twice", "balance": 0, "touched": datetime.now(UTC)}
            await Purses(unit).insert_many([row])
    except UniqueViolation:
        service.expect(UniqueViolation)


async def time_out(service: Service) -> None:
    try:
        async with asyncio.timeout(_TIMEOUT_S), service.db.begin() as session:
            await session.execute(_SLEEP)
    except TimeoutError:
        service.expect(TimeoutError)


async def cancel(service: Service) -> None:
    task = asyncio.create_task(look_up(service) if service.draw.random() < 0.5 else transfer(service))
    await asyncio.sleep(service.draw.random() * _TIMEOUT_S)
    task.cancel()
    await asyncio.wait([task])
    if task.cancelled():
        service.expect(asyncio.CancelledError)
    else:
        task.result()


async def lock(service: Service) -> None:
    try:
        async with service.db.advisory_lock(f"soak {service.draw.randint(1, 20)}", wait=False) as held:
            await held.check()
    except LockNotAvailable:
        service.expect(LockNotAvailable)


async def churn(service: Service) -> None:
    await service.draw.choice(CHURNS)(service.db, next(service.numbers))


# Of a thousand requests.
MIX: Final[dict[Kind, int]] = {
    look_up: 350, read: 250, transfer: 100, page: 60, load_relationships: 30, copy_in: 15, upsert: 40, stream: 15,
    book: 40, violate: 20, time_out: 10, cancel: 20, lock: 20, churn: 30,
}  # fmt: skip
_KINDS: Final = list(MIX)
_WEIGHTS: Final = list(MIX.values())
