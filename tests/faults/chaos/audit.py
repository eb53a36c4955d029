"""What must hold once a volley is over: everything is looked at from outside while the service rests."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from tests.faults.chaos.journal import Found, Tally
from tests.faults.chaos.models import ACCOUNTS, BALANCE
from tests.faults.chaos.traffic import Running, Traffic
from tests.faults.chaos.world import APPLICATION, SIZE, World
from tests.looking import backends

# Beyond the longest deadline of an operation.
_QUIET_S: Final = 30.0
# A server notices the end of a client, and ends what it ran, a moment later.
_SERVER_S: Final = 3.0
_WRITTEN: Final = """
    SELECT "group", sum(rows) AS rows, sum(parts) AS parts FROM (
        SELECT "group", count(*) AS rows, count(DISTINCT part) AS parts FROM chaos_written
        WHERE "group" >= $1 GROUP BY 1
        UNION ALL
        SELECT "group", count(*), count(DISTINCT part) FROM chaos_loaded WHERE "group" >= $1 GROUP BY 1
    ) AS either GROUP BY 1
"""
_BALANCES: Final = """
    SELECT a.id FROM chaos_account a
    LEFT JOIN (SELECT source AS id, count(*) AS n FROM chaos_written GROUP BY 1) AS given USING (id)
    LEFT JOIN (SELECT target AS id, count(*) AS n FROM chaos_written GROUP BY 1) AS taken USING (id)
    WHERE a.balance <> $1 - coalesce(given.n, 0) + coalesce(taken.n, 0)
"""


@dataclass(slots=True)
class Looked:
    """What was found by one look."""

    tally: Tally
    findings: list[str]
    leaked: int
    stuck: int
    fds: int


async def look(world: World, traffic: Traffic, *, all_: bool = False) -> Looked:
    """Let the service rest, and look at everything; with *all_* also at what was compared before."""
    traffic.pause()
    stuck = await _until_quiet(traffic)
    gc.collect()  # what was forgotten may have been in use at the last one
    db = traffic.service.db
    leases = [str(lease) for lease in db.pool.leases()]
    async with world.outside() as outside:
        backends_left = await _until_idle(outside)
        tally, wrong = await _compared(outside, traffic, all_=all_)
        unequal = await outside.fetch(_BALANCES, BALANCE)
        total = await outside.fetchval("SELECT sum(balance) FROM chaos_account")
    if unequal or total != ACCOUNTS * BALANCE:
        wrong.append(f"the balances of {[row['id'] for row in unequal]} are not what was moved; they add up to {total}")
    status = db.pool.status()
    leaked = [*(f"a lease is out: {lease}" for lease in leases), *backends_left]
    if status.checked_out or status.idle > SIZE:
        leaked.append(f"the pool says {status}")
    found = [*wrong, *leaked, *stuck]
    return Looked(tally, found, len(leaked), len(stuck), _fds())


async def _until_quiet(traffic: Traffic) -> list[str]:
    """Wait until nothing is under way; gives what took longer than it may."""
    stuck: dict[Running, str] = {}
    ends_at = time.monotonic() + _QUIET_S
    while traffic.running and time.monotonic() < ends_at:
        stuck |= traffic.late(time.monotonic())
        await asyncio.sleep(0.005)
    return [*stuck.values(), *(f"{one.operation.name} does not end" for one in traffic.running)]


async def _until_idle(outside: asyncpg.Connection) -> list[str]:
    ends_at = time.monotonic() + _SERVER_S
    while True:
        rows = await backends(outside, APPLICATION)
        busy = [f"a backend is {row['state']}: {row['query']}" for row in rows if row["state"] not in {"idle", None}]
        many = [f"{len(rows)} backends for a pool of {SIZE}"] if len(rows) > SIZE else []
        if not busy + many or time.monotonic() >= ends_at:
            return busy + many
        await asyncio.sleep(0.01)


async def _compared(outside: asyncpg.Connection, traffic: Traffic, *, all_: bool) -> tuple[Tally, list[str]]:
    journal = traffic.service.journal
    rows = await outside.fetch(_WRITTEN, 0 if all_ else journal.since())
    found = {row["group"]: Found(int(row["rows"]), int(row["parts"])) for row in rows}
    return journal.compare(found, all_=all_)


def _fds() -> int:
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))
