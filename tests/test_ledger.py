"""Money is moved while everything fails: none is lost, none is made, and whoever moved it knows."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest

from dal import Database, Outcome, PoolConfig, Retry
from dal.errors import CommitOutcomeUnknown, DALError, PoolOverloaded
from dal.testing import Network
from tests.looking import backends, until
from tests.models import Bank, Entry

ACCOUNTS: Final = 200
EACH: Final = 100
TASKS: Final = 16
SECONDS: Final = 20.0
SEED: Final = 7
RETRY: Final = Retry(attempts=20, within_s=10)


class Ledger:
    """Transfers by many tasks at once, each under a number of its own, and what each task believes of them."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db = db
        self.chance = random.Random(seed)
        self.believed: dict[UUID, Outcome] = {}
        self.running: dict[asyncio.Task[None], UUID] = {}
        self.ends_at = time.monotonic() + SECONDS

    async def work(self) -> None:
        """Transfer until the time is over; each transfer is a task, so that it can be cancelled."""
        while time.monotonic() < self.ends_at:
            number = uuid4()
            task = asyncio.create_task(self._transfer(number))
            self.running[task] = number
            await asyncio.wait([task])
            del self.running[task]

    async def _transfer(self, number: UUID) -> None:
        units: list[Bank] = []
        giver, taker = self.chance.sample(range(ACCOUNTS), 2)

        async def transfer(bank: Bank) -> None:
            units.append(bank)
            source, target = await bank.accounts.get_one(giver), await bank.accounts.get_one(taker)
            source.balance -= 1
            target.balance += 1
            await bank.entries.add(Entry(account_id=giver, note=str(number)))

        self.believed[number] = Outcome.ROLLED_BACK
        with suppress(asyncio.CancelledError, DALError):
            try:
                await self.db.run(transfer, Bank, isolation="serializable", verify_commit=True, retry=RETRY)
                self.believed[number] = Outcome.COMMITTED
            except PoolOverloaded as shed:
                await asyncio.sleep(min(shed.retry_after_s, 0.2))
            except CommitOutcomeUnknown:
                self.believed[number] = Outcome.UNKNOWN
                raise
            except asyncio.CancelledError:
                if units:
                    self.believed[number] = units[-1].outcome
                raise

    def cancel_one(self) -> None:
        """Cancel a transfer."""
        if self.running:
            self.chance.choice(list(self.running)).cancel()


async def _kill_one(outside: asyncpg.Connection, chance: random.Random) -> None:
    pids = [row["pid"] for row in await backends(outside)]
    if pids:
        await outside.execute("SELECT pg_terminate_backend($1)", chance.choice(pids))


async def _break_things(ledger: Ledger, network: Network, outside: asyncpg.Connection, done: Counter[str]) -> None:
    chance = ledger.chance
    while time.monotonic() < ledger.ends_at:
        fault = chance.choice(["kill", "cut", "before COMMIT", "after COMMIT", "cancel", "cancel", "cancel"])
        done[fault] += 1
        match fault:
            case "kill":
                await _kill_one(outside, chance)
            case "cut":
                network.cut()
            case "cancel":
                ledger.cancel_one()
            case _:
                network.cut_at("COMMIT", answered=fault == "after COMMIT")
                await until(lambda: network.cuts is None or time.monotonic() >= ledger.ends_at)
        await asyncio.sleep(chance.uniform(0, 0.1))


@pytest.mark.timeout(120)
async def test_no_transfer_is_lost_or_doubled_whatever_fails(database_url, faulty_network, outside):
    await outside.execute(f"INSERT INTO account SELECT n, n::text, {EACH} FROM generate_series(0, {ACCOUNTS - 1}) AS n")
    done: Counter[str] = Counter()
    async with Database(database_url, pool=PoolConfig(size=5)) as db:
        ledger = Ledger(db, SEED)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_break_things(ledger, faulty_network, outside, done))
            for _ in range(TASKS):
                tasks.create_task(ledger.work())
        faulty_network.heal()
        assert db.pool.leases() == []
    entered = Counter(UUID(row["note"]) for row in await outside.fetch("SELECT note FROM entry"))
    outcomes = Counter(ledger.believed.values())
    print(f"{dict(outcomes)} under {dict(done)}")  # noqa: T201 # shown if it fails
    assert await outside.fetchval("SELECT sum(balance) FROM account") == ACCOUNTS * EACH
    assert {number: 1 for number, end in ledger.believed.items() if end is Outcome.COMMITTED} == entered
    assert outcomes[Outcome.UNKNOWN] == 0
    assert outcomes[Outcome.COMMITTED] > 100
    assert min(done.values()) > 3
