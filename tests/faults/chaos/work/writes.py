"""Writes in all ways, each of a group that is there whole or not at all."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import insert

from dal import Outcome, Retry
from dal.copy import copy_in
from dal.errors import CommitOutcomeUnknown, ConnectionLost
from tests.faults.chaos.journal import Group, Told
from tests.faults.chaos.models import ACCOUNTS, LOADED, Account, Bank, Note, Notes, Writings, Written
from tests.faults.chaos.service import Service, Withdrawn

TIMEOUT_S: Final = 1.5
RETRY: Final = Retry(attempts=10, within_s=3.0)
LOAD_RECORDS: Final = 500
_BATCH: Final = 100
_TOLD: Final = {
    Outcome.OPEN: Told.UNDONE,  # it was never entered
    Outcome.COMMITTED: Told.DONE,
    Outcome.ROLLED_BACK: Told.UNDONE,
    Outcome.UNKNOWN: Told.MAYBE,
}


async def transfer(service: Service) -> None:
    """Move money between two accounts; it is known afterwards whether it was moved, also after a cancellation."""
    group = service.journal.open()
    units: list[Bank] = []
    source, target = service.chance.sample(range(1, ACCOUNTS + 1), 2)
    isolation: Any = service.chance.choice(["read committed", "serializable"])
    move = service.chance.choice([_by_entities, _by_statements])
    is_withdrawn = service.chance.random() < 0.1

    async def work(bank: Bank) -> None:
        units.append(bank)
        await move(bank, source, target)
        await bank.writings.add(Written(group=group.number, part=0, source=source, target=target))
        if is_withdrawn:
            raise Withdrawn

    options: dict[str, Any] = {"isolation": "serializable"} if move is _by_entities else {"isolation": isolation}
    try:
        await service.db.run(
            work, Bank, retry=RETRY, verify_commit=service.chance.random() < 0.8, timeout_s=TIMEOUT_S, **options
        )
        group.told = Told.DONE
    except Withdrawn:
        group.told = Told.UNDONE
    except CommitOutcomeUnknown:
        group.told = Told.MAYBE
        raise
    except BaseException:
        group.told = _TOLD[units[-1].outcome] if units else Told.UNDONE
        raise


async def _by_entities(bank: Bank, source: int, target: int) -> None:
    giver, taker = await bank.accounts.get_one(source), await bank.accounts.get_one(target)
    giver.balance -= 1
    taker.balance += 1


async def _by_statements(bank: Bank, source: int, target: int) -> None:
    for number, amount in ((source, -1), (target, 1)):
        await bank.accounts.update_where({"balance": Account.balance + amount}, Account.id == number)


async def add_one(service: Service) -> None:
    """Insert a row outside of any unit of work: whoever loses the answer cannot know."""
    group = service.journal.open()
    await _told(group, Writings(service.db).add(Written(group=group.number, part=0)))


async def insert_many(service: Service) -> None:
    """Insert a set, by the statement or by COPY."""
    group = service.journal.open(service.chance.choice([7, 400]))
    await _told(group, Writings(service.db).insert_many(_rows(group)))


async def copy_some(service: Service) -> None:
    """Load a few rows by COPY, which commits in a transaction of its own."""
    group = service.journal.open(50)
    rows = [{"group": group.number, "part": part} for part in range(group.size)]
    await _told(group, copy_in(service.db, LOADED, rows))


async def savepoint(service: Service) -> None:
    """Keep what was written around a savepoint, and not what was written in it."""
    kept, undone = service.journal.open(), service.journal.open()
    unit = Bank(service.db, verify_commit=True, timeout_s=TIMEOUT_S)
    undone.told = Told.UNDONE
    try:
        async with unit as bank:
            await bank.writings.add(Written(group=kept.number, part=0))
            with suppress(Withdrawn):
                await _withdrawn(bank, undone)
            await bank.accounts.exists(1)
    finally:
        kept.told = _TOLD[unit.outcome]


async def _withdrawn(bank: Bank, group: Group) -> None:
    async with bank.savepoint():
        await bank.session.execute(insert(Written).values(group=group.number, part=0))
        raise Withdrawn


async def left_open(service: Service) -> None:
    """Begin a transaction on the driver's connection, write in it, and go without a word: it must not be committed."""
    group = service.journal.open()
    group.told = Told.UNDONE
    async with asyncio.timeout(TIMEOUT_S), service.db.checkout() as driver:
        await driver.execute("BEGIN")
        await driver.execute('INSERT INTO chaos_written ("group", part) VALUES ($1, 0)', group.number)


async def load(service: Service) -> None:
    """Load a source in parts, going on with whatever an earlier load has left; it is whole when it says so."""
    group = service.loads.popleft() if service.loads else service.journal.open(LOAD_RECORDS, in_parts=True)
    workers = service.chance.choice([1, 1, 2])
    try:
        await copy_in(
            service.db, LOADED, _batches(group), commit_every=_BATCH, resume=f"load {group.number}", workers=workers
        )
        group.told = Told.DONE
    except BaseException:
        service.loads.append(group)
        raise


async def note(service: Service) -> None:
    """Write onto the small disk, which may be full."""
    async with asyncio.timeout(TIMEOUT_S):
        await Notes(service.db).add(Note(words="n" * 200_000))


def _batches(group: Group) -> Any:
    """Give the rows in batches, each of which is committed: a chunk is never parted."""
    places = range(0, group.size, _BATCH)
    batches = [{"group": [group.number] * _BATCH, "part": range(at, at + _BATCH)} for at in places]
    return pa.Table.from_batches(map(pa.record_batch, batches)).to_reader()


def _rows(group: Group) -> list[dict[str, int]]:
    return [{"group": group.number, "part": part} for part in range(group.size)]


async def _told(group: Group, work: Any) -> None:
    """Note what was told of a write that cannot be asked after."""
    group.told = Told.MAYBE
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await work
        group.told = Told.DONE
    except Exception as error:
        if not _may_be_done(error):
            group.told = Told.UNDONE
        raise


def _may_be_done(error: BaseException) -> bool:
    """Tell whether a write on its own may be there in spite of *error*: its answer was lost, or not waited for."""
    return isinstance(error, ConnectionLost | CommitOutcomeUnknown | TimeoutError)
