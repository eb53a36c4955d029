"""An upgrade while others write: how long they had to wait, and during which revision."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, Unpack

from dal.database import Database
from dal.migrations import MigrationOptions, current, history, upgrade
from dal.migrations.options import ini_of
from dal.pool_config import PoolConfig

_AFTERWARDS: Final = "the end"
_P99: Final = 0.99


@dataclass(frozen=True, slots=True)
class Load:
    """What the writers saw: how many writes were done, and how long the slow ones took; `slowest` is the revision."""

    count: int
    p99_s: float
    longest_s: float
    slowest: str

    def __str__(self) -> str:
        return (
            f"{self.count} writes, p99 {self.p99_s * 1000:.1f} ms, the longest {self.longest_s * 1000:.1f} ms, during "
            f"revision {self.slowest}"
        )


async def upgraded_under_load(
    db: Database,
    write: Callable[[Database], Awaitable[object]],
    *,
    longest_wait_s: float,
    writers: int = 4,
    **options: Unpack[MigrationOptions],
) -> Load:
    """Upgrade *db* to head, a revision at a time, while *write* is done again and again by so many *writers*.

    *write* gets a `Database` that has a connection for each of them. Raises `AssertionError` if one of the writes took
    longer than *longest_wait_s*, with the figures; and what a write or the upgrade raises, with a note that says during
    which revision. *db* is populated, and at the revision that it is to be upgraded from.
    """
    __tracebackhide__ = True
    done = set(await _done(db, options))
    pending = [each.revision for each in reversed(history(ini=ini_of(options))) if each.revision not in done]
    config = replace(db.config, pool=PoolConfig(size=writers), application_name="dal writers")
    async with Database(config) as loaded:
        crowd = _Writers(loaded, write)
        await crowd.work(writers, lambda: _upgrade(db, pending, crowd, options))
    load = crowd.seen()
    if load.longest_s > longest_wait_s:
        raise AssertionError(f"a write waited longer than {longest_wait_s * 1000:.0f} ms: {load}")
    return load


@dataclass
class _Writers:
    """Those who write meanwhile; `during` is the revision that is being applied."""

    db: Database
    write: Callable[[Database], Awaitable[object]]
    during: str = "none yet"
    took: list[tuple[float, str]] = field(default_factory=list)
    wrote: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, writers: int, upgrade: Callable[[], Awaitable[None]]) -> None:
        """Write until the upgrade is done, or one of the writers fails."""
        tasks = [asyncio.create_task(self._on_and_on()) for _ in range(writers)]
        upgrading = asyncio.ensure_future(upgrade())
        try:
            await asyncio.wait([upgrading, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in (*tasks, upgrading):
                if task.done():
                    task.result()
        except BaseException as error:
            error.add_note(f"during revision {self.during}")
            raise
        finally:
            for task in (*tasks, upgrading):
                task.cancel()
            await asyncio.wait([upgrading, *tasks])

    async def _on_and_on(self) -> None:
        while True:
            during, started = self.during, time.monotonic()
            await self.write(self.db)
            self.took.append((time.monotonic() - started, during))
            self.wrote.set()

    async def another(self) -> None:
        """Wait until one more write is done."""
        self.wrote.clear()
        await self.wrote.wait()

    def seen(self) -> Load:
        """Count up."""
        took = sorted(self.took)
        return Load(len(took), took[int(len(took) * _P99)][0], *took[-1])


async def _upgrade(db: Database, pending: list[str], crowd: _Writers, options: MigrationOptions) -> None:
    await crowd.another()
    for revision in pending:
        crowd.during = revision
        await upgrade(db, revision, **options)
        await crowd.another()
    crowd.during = _AFTERWARDS
    await crowd.another()


async def _done(db: Database, options: MigrationOptions) -> list[str]:
    """List the revisions that are applied already."""
    at = set(await current(db, schema=options.get("schema"), ini=ini_of(options)))
    done: list[str] = []
    for each in history(ini=ini_of(options)):  # the newest first
        if each.revision in at:
            done.append(each.revision)
            at.update(each.down)
    return done
