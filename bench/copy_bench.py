"""What all parts of `bench.copy_in` share: the server, who loads in turn, and what the table holds after each load.

Refuses: knowing what is loaded, and by whom.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from bench.psql import psql
from bench.report import Contender, Report, alternate, freeze_heap, medians
from dal import Database
from dal.testing import EmbeddedServer

Load: TypeAlias = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is loaded, and how often."""

    rounds: int
    rows: int
    few: int
    scale: float
    resident: tuple[int, ...]


class Contents(NamedTuple):
    """What a table holds: how many rows, and a sum over all values of them, in whatever order."""

    rows: int
    checksum: int | None


class Way(NamedTuple):
    """One way to load: what it does, in words; and what the table is to hold then."""

    does: str
    load: Load
    due: Contents


@dataclass(frozen=True, slots=True)
class Part:
    """Who loads *rows* into *table*, which *refill* fills again before each load; dal is the last."""

    name: str
    table: Table
    rows: int
    ways: Mapping[str, Way]
    refill: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """One run: its size, the server that all load into, and its report."""

    size: Size
    server: EmbeddedServer
    database: Database
    connection: Any
    folder: Path
    report: Report

    async def recreate(self, *tables: Table) -> None:
        """Create *tables*, in this order."""
        for table in reversed(tables):
            await self.connection.execute(f"DROP TABLE IF EXISTS {table}")
        for table in tables:
            create = CreateTable(table).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call] # SQLAlchemy's
            await self.connection.execute(str(create))

    async def empty(self, table: Table, refill: str = "") -> None:
        """Empty the table, or fill it as it was; nothing is left that the server would write during the next load."""
        await self.connection.execute(f"TRUNCATE {table}; {refill}")
        await self.connection.execute(f"VACUUM ANALYZE {table}")
        await self.connection.execute("CHECKPOINT")

    async def contents(self, table: Table) -> Contents:
        """Give what it holds."""
        found = f"SELECT count(*), sum(hash_record_extended(t, 0)::numeric)::text FROM {table} t"
        rows, checksum = await self.connection.fetchrow(found)
        return Contents(rows, checksum and int(checksum))

    async def filled(self, table: Table, load: Load, rows: int) -> Contents:
        """Load once, by somebody whose result is what all others are held against; exits unless it is *rows*."""
        await self.empty(table)
        await load()
        found = await self.contents(table)
        if found.rows != rows:
            raise SystemExit(f"{table} holds {found.rows} rows, and {rows} were loaded")
        return found

    async def check(self, who: str, table: Table, due: Contents) -> None:
        """Exit with a message unless the table holds exactly what is due."""
        if (found := await self.contents(table)) != due:
            raise SystemExit(f"{who}: {table} holds {found}, and {due} is due")

    async def psql(self, command: str) -> None:
        """Run psql: its start and its connecting are a part of what it takes."""
        psql(self.server, command)

    async def measure(self, part: Part) -> None:
        """Have everyone of *part* load in turn; each load is checked."""
        contenders = [Contender(name, partial(self._load, part, name)) for name in part.ways]
        await self.take_turns(part.name, part.rows, contenders, {name: way.does for name, way in part.ways.items()})

    async def take_turns(self, part: str, rows: int, contenders: Sequence[Contender], does: Mapping[str, str]) -> None:
        """Run everyone in turn, and keep what they took for *rows*, and what each *does*."""
        print(f"{part}: {rows:,} rows", flush=True)
        rounds = await alternate(contenders, self.size.rounds)
        self.report.rounds_s |= {f"{part} {name}": seconds for name, seconds in rounds.items()}
        self.report.facts.setdefault("rows", {})[part] = rows
        self.report.facts.setdefault("contenders", {})[part] = dict(does)
        rates = {name: rows / seconds for name, seconds in medians(rounds).items()}
        self.report.beside(f"{part}_rows_per_s", rates, digits=0)

    async def _load(self, part: Part, name: str) -> float:
        way = part.ways[name]
        await self.empty(part.table, part.refill)
        freeze_heap()
        started = perf_counter()
        await way.load()
        seconds = perf_counter() - started
        await self.check(f"{part.name} {name}", part.table, way.due)
        return seconds

    def ratio(self, name: str, part: str, target: str, *, peer: str, own: str = "dal") -> None:
        """Compare within each round: from one to the next the machine may be twice as fast."""
        theirs, ours = (self.report.rounds_s[f"{part} {each}"] for each in (peer, own))
        self.report.ratio(name, median(one / other for one, other in zip(theirs, ours, strict=True)), target)
