"""Relationships that are loaded when they are asked for, by dal for all that came together, beside SQLAlchemy.

Orders with their lines, and with the deliveries of those, from one embedded server, by one caller that nobody competes
with. What is timed is a transaction: the orders are read, and everything is gone through. Who does what stands in
`bench.loading_by_sqlalchemy` and `bench.loading_by_dal`, and in the results.

- batch: 1,000 orders of 10 lines of 3 deliveries, lazily and by `dal.load`, beside `selectinload`. Beside it also what
  11,000 awaits of SQLAlchemy's `AsyncAttrs` take where everything is loaded, and lazy loads of dal's by those, in the
  place of dal's own `awaitable_attrs`; and `selectinload` among dal's own options.
- local: 1,000 orders of 10 lines and of one, beside lazy loads that are a statement for each order, and `selectinload`.
- network: the same over a network that takes 1 ms more for every round trip (it passes the bytes on in a thread of this
  process, which costs everyone alike).
- memory: 5,000 tickets with three relationships that nobody loads, in an open session.
- read: 1,000 rows and one row, nothing of which is loaded lazily: what a unit of work costs over `AsyncSession`, with
  `lazy="off"`, and what of it is the repository's, which is bound to a plain `AsyncSession` here.

Everyone takes turns; each round begins with another, and shares are taken within a round. Garbage is collected before
it; in it, the collector runs as Python has it, over what was made since the round began. Before each part, everyone's
objects are compared: what differs ends the run. A target that is missed is a result, not a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import URL, select
from sqlalchemy.ext.asyncio import AsyncSession

from bench.graph_rows import Order, Shape, drop_tables, recreate_tables, refill_tables
from bench.loading_by_dal import ByDal, Orders, Shop, open_dal
from bench.loading_by_sqlalchemy import BySQLAlchemy, open_sqlalchemy, plain_orders
from bench.loading_memory import bytes_each
from bench.loading_rows import PlainTicket, drop_tickets, recreate_tickets, tree
from bench.loads import Load, Loads
from bench.network import round_trips, slow_network
from bench.pool_contenders import connected
from bench.report import RESULTS, Contender, Report, alternate, machine_facts, medians, what_it_does
from dal.testing import EmbeddedServer

PACKAGES: Final = ("asyncpg", "sqlalchemy")
DELAY_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Size:
    """What is loaded, how often and how long."""

    rounds: int
    deep: Shape
    shallow: tuple[Shape, ...]
    tickets: int
    reads: tuple[int, ...]
    # A small share is told from none by many rounds.
    read_rounds: int
    read_s: float


FULL: Final = Size(
    rounds=9, deep=Shape(1_000, 10, 3), shallow=(Shape(1_000, 10), Shape(1_000, 1)), tickets=5_000,
    reads=(1_000, 1), read_rounds=41, read_s=0.05,
)  # fmt: skip
TINY: Final = Size(
    rounds=1, deep=Shape(5, 10, 3), shallow=(Shape(5, 10),), tickets=50, reads=(5,), read_rounds=1, read_s=0.02
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure lazy loads of dal's, beside SQLAlchemy's and selectinload.")
    parser.add_argument("--tiny", action="store_true", help="some seconds in all; keeps no results")
    parser.add_argument("--only", help="the parts to run, with commas between; keeps no results")
    given = parser.parse_args()
    parts = given.only.split(",") if given.only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) if given.tiny or given.only else RESULTS
        asyncio.run(measure(TINY if given.tiny else FULL, parts, results))


async def measure(size: Size, parts: Sequence[str], results: Path) -> None:
    """Measure *parts* at *size*, and write what came out into *results*."""
    report = Report("loading", machine_facts(PACKAGES))
    with EmbeddedServer("bench-loading", in_memory=True) as server:
        async with connected(server.url) as connection:
            report.facts["postgres"] = await connection.fetchval("SHOW server_version")
            await recreate_tables(connection)
            async with open_sqlalchemy(server.url) as sqlalchemy, open_dal(server.url) as dal:
                bench = Bench(size, server.url, connection, sqlalchemy, dal, report)
                for part in parts:
                    await PARTS[part](bench)
            await drop_tables(connection)
    report.write(results)
    # Not above: what draws is not to be in the heap that the collector looks through while loads are measured.
    from bench.loading_plots import plot

    plot(report, results)


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of one run. Each prints everyone's figures, then dal's against the targets."""

    size: Size
    url: URL
    connection: Any
    sqlalchemy: BySQLAlchemy
    dal: ByDal
    report: Report

    async def batch(self) -> None:
        shape = self.size.deep
        await refill_tables(self.connection, shape)
        loads = {
            "selectinload": self.sqlalchemy.deep,
            "selectinload_awaited": self.sqlalchemy.deep_awaited,
            "dal_selectinload": self.dal.deep_by_options,
            "dal_load": self.dal.deep_loaded,
            "dal_asyncattrs": self.dal.deep_by_async_attrs,
            "dal": self.dal.deep_batched,
        }
        await check(loads, shape)
        part = f"batch_{shape.name}"
        await self._times(part, loads, shape.orders)
        self._share("batch_vs_selectinload", part, ("dal", "selectinload"), "1.15 or less")
        self._share("batch_load_vs_selectinload", part, ("dal_load", "selectinload"), "1.15 or less")
        self._share("batch_asyncattrs_vs_selectinload", part, ("dal_asyncattrs", "selectinload"), "none")
        self._share("batch_asyncattrs_vs_awaited", part, ("dal_asyncattrs", "selectinload_awaited"), "none")
        self._share("awaits_vs_none", part, ("selectinload_awaited", "selectinload"), "none")
        self._share("batch_vs_selectinload_in_dal", part, ("dal", "dal_selectinload"), "none")

    async def local(self) -> None:
        for shape in self.size.shallow:
            await refill_tables(self.connection, shape)
            await self._n_plus_one("local", shape, _shallow(self.sqlalchemy, self.dal), "5")

    async def network(self) -> None:
        for shape in self.size.shallow:
            await refill_tables(self.connection, shape)
            with slow_network(self.url) as network:
                async with open_sqlalchemy(network.url) as sqlalchemy, open_dal(network.url) as dal:
                    network.delay(DELAY_S)
                    loads = _shallow(sqlalchemy, dal)
                    await self._n_plus_one("network", shape, loads, "50")
                    trips = {name: await round_trips(network, load, shape.orders) for name, load in loads.items()}
                    network.heal()
            self.report.beside(f"network_{shape.name}_round_trips", trips, digits=0)

    async def memory(self) -> None:
        await recreate_tickets(self.connection, self.size.tickets)
        async with self.sqlalchemy.sessions() as session, Shop(self.dal.database) as shop:

            async def plain() -> Sequence[Any]:
                return (await session.scalars(select(PlainTicket))).all()

            middle = {"plain": await bytes_each(plain), "dal": await bytes_each(shop.tickets.list)}
        self.report.beside("memory_bytes_each", middle, digits=0)
        self.report.ratio("memory_vs_sqlalchemy", middle["dal"] / middle["plain"], "1.05 or less")
        await drop_tickets(self.connection)

    async def read(self) -> None:
        await refill_tables(self.connection, Shape(max(self.size.reads), 1))
        for rows in self.size.reads:
            async with self._readers() as reads:
                runs = {name: Loads(read, rows, self.size.read_s) for name, read in reads.items()}
                part = f"read_{rows}"
                await self._alternate(part, runs, self.size.read_rounds, every=10)
                target = "1.03 or less" if rows == self.size.reads[0] else "none"
                self._share(f"{part}_vs_sqlalchemy", part, ("dal", "plain"), target)
                self._share(f"{part}_vs_off", part, ("dal", "dal_off"), target)
                self._share(f"{part}_vs_repository", part, ("dal", "repository"), target)

    @asynccontextmanager
    async def _readers(self) -> AsyncGenerator[dict[str, Load]]:
        """Open a session for each, which all of its reads share."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self.sqlalchemy.sessions())
            off = await stack.enter_async_context(open_dal(self.url, "off"))
            shops = [await stack.enter_async_context(Shop(each.database)) for each in (off, self.dal)]

            async def plain(below: int) -> Sequence[Any]:
                return (await session.scalars(plain_orders(below))).all()

            yield {
                "plain": plain,
                "repository": _read_by(Orders(_Lending(session))),  # type: ignore[arg-type] # all that list() asks of it
                "dal_off": _read_by(shops[0].orders),
                "dal": _read_by(shops[1].orders),
            }

    async def _n_plus_one(self, kind: str, shape: Shape, loads: Mapping[str, Load], target: str) -> None:
        await check(loads, shape)
        part = f"{kind}_{shape.name}"
        await self._times(part, loads, shape.orders)
        self._share(f"batch_vs_n_plus_one_{part}", part, ("lazy", "dal"), target)
        self._share(f"selectinload_vs_n_plus_one_{part}", part, ("lazy", "selectinload"), "none")

    async def _times(self, part: str, loads: Mapping[str, Load], below: int) -> None:
        does = {name: what_it_does(load) for name, load in loads.items()}
        self.report.facts.setdefault("contenders", {})[part] = does
        # No time to fill: each round is one load.
        await self._alternate(part, {name: Loads(load, below, 0) for name, load in loads.items()}, self.size.rounds)

    async def _alternate(self, part: str, runs: Mapping[str, Loads], rounds: int, *, every: int = 1) -> None:
        contenders = [Contender(name, each.run) for name, each in runs.items()]
        seconds = await alternate(contenders, rounds, every=every)
        self.report.rounds_s |= {f"{part} {name}": each for name, each in seconds.items()}
        self.report.beside(f"{part}_ms", {name: each * 1e3 for name, each in medians(seconds).items()})

    def _share(self, name: str, part: str, pair: tuple[str, str], target: str) -> None:
        """Compare within each round: from one to the next the machine may be twice as fast."""
        these, those = (self.report.rounds_s[f"{part} {each}"] for each in pair)
        self.report.ratio(name, median(one / other for one, other in zip(these, those, strict=True)), target)


PARTS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {
    "batch": Bench.batch,
    "local": Bench.local,
    "network": Bench.network,
    "memory": Bench.memory,
    "read": Bench.read,
}


async def check(loads: Mapping[str, Load], shape: Shape) -> None:
    """Exit with a message unless everyone loads the same, and that is *shape*."""
    deep = bool(shape.deliveries)
    expected = tree(await loads["selectinload"](shape.orders), deep=deep)
    sizes = {(len(expected), len(lines), len(below)) for _, lines in expected for _, below in lines}
    if sizes != {(shape.orders, shape.lines, shape.deliveries)}:
        raise SystemExit(f"what selectinload loads is not {shape.name}")
    for name, load in loads.items():
        if tree(await load(shape.orders), deep=deep) != expected:
            raise SystemExit(f"{name} loads something else of {shape.name} than selectinload")


def _shallow(sqlalchemy: BySQLAlchemy, dal: ByDal) -> dict[str, Load]:
    return {"lazy": sqlalchemy.lazy, "selectinload": sqlalchemy.shallow, "dal": dal.lazy}


def _read_by(orders: Orders) -> Load:
    async def read(below: int) -> Sequence[Order]:
        return await orders.list(Order.id < below, order_by=Order.id)

    return read


@dataclass(frozen=True, slots=True)
class _Lending:
    """A plain session, for a repository."""

    session: AsyncSession

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        yield self.session


if __name__ == "__main__":
    main()
