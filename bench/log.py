"""What `dal.telemetry.StatementLog` costs the statements that it hears of, and those that it does not.

One task reads rows by primary key on one embedded server. What is timed is the processor's time of this process, which
is what a log takes; the server and the network take none of it. For each door three ways take turns: without a log
(off), with one of the task's own (on), and with one that another task keeps (elsewhere). The figures are the
differences between the best rounds: whatever else runs on the machine only adds.

- driver: `get(into=)`, past SQLAlchemy.
- session: `execute(select(...))` in one session, by SQLAlchemy.
- floor: the note alone, without a statement: `with statement_sent(...)`, off against an empty loop.

A target that is missed is a result, not a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from bench.report import RESULTS, Contender, Report, alternate, freeze_heap, machine_facts
from dal import Database, Repository, orm
from dal.telemetry import StatementLog, statement_sent
from dal.testing import EmbeddedServer

STATEMENTS: Final = 500
ROUNDS: Final = 41
TARGET_US: Final = "<= 5"
NOTES: Final = 100_000

Read = Callable[[Database, int], Awaitable[None]]


class Noted(orm.Base):
    """What is read."""

    __tablename__ = "noted"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Notes(Repository[Noted]):
    """All of them."""


@dataclass(frozen=True, slots=True)
class Name:
    """What is read of one."""

    name: str


async def by_driver(db: Database, count: int) -> None:
    """Read *count* rows past SQLAlchemy."""
    notes = Notes(db)
    for number in range(count):
        await notes.get(number % 100 + 1, into=Name)


async def by_session(db: Database, count: int) -> None:
    """Read *count* rows by SQLAlchemy."""
    statement = text("SELECT name FROM noted WHERE id = :id")
    async with db.reading() as session:
        for number in range(count):
            await session.execute(statement, {"id": number % 100 + 1})


DOORS: Final[dict[str, Read]] = {"driver": by_driver, "session": by_session}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="some seconds in all; keeps no results")
    tiny = parser.parse_args().tiny
    report = Report("log", {"statements": STATEMENTS, "rounds": ROUNDS, **machine_facts(("asyncpg", "sqlalchemy"))})
    with EmbeddedServer("bench-log", in_memory=True) as server, tempfile.TemporaryDirectory() as folder:
        url = server.url.render_as_string(hide_password=False)
        asyncio.run(measure(url, report, 20 if tiny else STATEMENTS, 1 if tiny else ROUNDS))
        report.write(Path(folder) if tiny else RESULTS)


async def measure(url: str, report: Report, count: int, rounds: int) -> None:
    """Have the ways take turns at each door."""
    report.ratio("log_off_note_us", _note_us(1 + NOTES * count // STATEMENTS), "nothing that can be measured")
    async with Database(url, coalesce=False) as db:
        async with db.writing() as session:
            await session.execute(text("DROP TABLE IF EXISTS noted"))
            await session.execute(
                text("CREATE TABLE noted AS SELECT n AS id, 'name' AS name FROM generate_series(1, 100) n")
            )
            await session.execute(text("ALTER TABLE noted ADD PRIMARY KEY (id)"))
        for door, read in DOORS.items():
            ways = [Contender(f"{door}_{way}", _timed(read, db, count, way)) for way in ("off", "on", "elsewhere")]
            report.rounds_s |= await alternate(ways, rounds)
            best = {name: min(seconds) for name, seconds in report.rounds_s.items()}
            for way in ("on", "elsewhere"):
                taken = best[f"{door}_{way}"] - best[f"{door}_off"]
                report.ratio(f"log_{way}_{door}_us", taken / count * 1e6, TARGET_US)


def _timed(read: Read, db: Database, count: int, way: str) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        log = StatementLog()
        elsewhere = contextvars.copy_context()
        freeze_heap()
        if way == "elsewhere":
            elsewhere.run(log.__enter__)
        with log if way == "on" else nullcontext():
            started = time.process_time()
            await read(db, count)
            seconds = time.process_time() - started
        if way == "elsewhere":
            elsewhere.run(log.__exit__, None, None, None)
        heard = count if way == "on" else 0
        assert len(log) == heard, (len(log), heard)  # else nothing was measured
        return seconds

    return run


def _note_us(count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        pass
    empty = time.process_time()
    for _ in range(count):
        with statement_sent("SELECT 1"):
            pass
    return (time.process_time() - empty - (empty - started)) / count * 1e6


if __name__ == "__main__":
    main()
