"""A resumable load that is ended again and again at random moments, and what is in the table after the last one.

`python -m tests.copy_kills --records 2000000 --times 50` is the whole of it; the suite runs a few.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import URL, BigInteger, Column, MetaData, Table, Text, make_url

from dal import Database, PoolConfig
from dal.copy import copy_in
from dal.testing import EmbeddedServer, Network
from dal.testing.background import Background

# A server that is ended at once loses what it has said is committed, unless told otherwise.
DURABLE = {"synchronous_commit": "on"}
# Without a key, so that a record that is loaded twice is there twice.
TABLE = Table("killed", MetaData(), Column("id", BigInteger), Column("words", Text))


@dataclass(slots=True)
class Kills:
    """The loads of one run: how often each fault ended one, and how many were whole at their end."""

    url: URL
    network: Network
    file: Path
    records: int
    restart: Callable[[], None] | None
    rng: random.Random
    faults: Counter[str] = field(default_factory=Counter)
    loads: int = 0
    name: str = field(default_factory=lambda: uuid4().hex)  # the server keeps the loads of all runs

    async def run(self, times: int) -> None:
        """End loads *times* times, and let the last one end by itself; look at the table after each that did."""
        await self._recreate()
        while sum(self.faults.values()) < times:
            if await self._loader(self._fault()) == 0:
                await self._check()
            sys.stderr.write(f"\r{sum(self.faults.values())} faults, {self.loads} whole loads ")
        if await self._loader(None) != 0:
            raise AssertionError("a load has failed that nothing was done to")
        await self._check()

    def _fault(self) -> str:
        kinds = ["loader killed", "backend killed", "network cut"] + (["server restarted"] if self.restart else [])
        return self.rng.choice(kinds)

    async def _loader(self, fault: str | None) -> int:
        """Run a loader, and end it if it has not ended by itself; gives its exit status."""
        url = self.network.url if fault == "network cut" else self.url
        process = subprocess.Popen(  # noqa: ASYNC220 # which ends in a second
            [
                sys.executable,
                "-m",
                "tests.copy_kills",
                "--load",
                _spelt(url),
                str(self.file),
                f"load {self.name} {self.loads}",
                str(self.rng.choice([1, 3])),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)  # it has begun
        if fault is not None:
            await asyncio.sleep(self.rng.uniform(0, self.records / 1_500_000))
            if process.poll() is None:
                self.faults[fault] += 1
                await self._do(fault, process)
            elif process.returncode != 0:
                raise AssertionError("a load has failed that nothing was done to")
        try:
            return await asyncio.to_thread(process.wait, 30)
        finally:
            process.kill()
            process.stdout.close()
            self.network.heal()

    async def _do(self, fault: str, process: subprocess.Popen[bytes]) -> None:
        if fault == "loader killed":
            process.send_signal(signal.SIGKILL)
        elif fault == "network cut":
            self.network.cut()
        elif fault == "server restarted":
            assert self.restart is not None
            await asyncio.to_thread(self.restart)
        else:
            await self._ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'killed'")

    async def _ask(self, sql: str) -> asyncpg.Record | None:
        connection = await asyncpg.connect(_spelt(self.url.set(drivername="postgresql")))
        try:
            return await connection.fetchrow(sql)
        finally:
            await connection.close()

    async def _recreate(self) -> None:
        await self._ask("DROP TABLE IF EXISTS killed")
        await self._ask("CREATE TABLE killed (id bigint, words text)")

    async def _check(self) -> None:
        row = await self._ask("SELECT count(*), count(DISTINCT id), sum(id), sum(length(words)) FROM killed")
        assert row is not None
        n = self.records
        expected = (n, n, n * (n - 1) // 2, sum(len(words(number)) for number in range(n)))
        assert tuple(map(int, row)) == expected, (tuple(row), expected)
        self.loads += 1
        await self._recreate()


def _spelt(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def words(number: int) -> str:
    return f"words of record {number}"


def write(file: Path, records: int) -> None:
    """Write the source."""
    table = pa.table({"id": range(records), "words": [words(number) for number in range(records)]})
    pq.write_table(table, file, row_group_size=100_000)


async def load(url: str, file: str, name: str, workers: int) -> None:
    """Load, and say when it has begun; the next loader may have another number of workers."""

    def begun(_: object) -> None:
        sys.stdout.write("begun\n")
        sys.stdout.flush()

    made = make_url(url).update_query_dict({"application_name": "killed"})
    async with Database(made, pool=PoolConfig(size=workers)) as db:
        await copy_in(db, TABLE, file, commit_every=20_000, resume=name, workers=workers, on_progress=begun)


@contextmanager
def through(url: URL) -> Iterator[Network]:
    """Lend a network between a loader and the server."""
    with Background() as background:
        network = Network(background, url)
        try:
            yield network
        finally:
            network.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="End a resumable load again and again.")
    parser.add_argument("--load", nargs=4, metavar=("URL", "FILE", "NAME", "WORKERS"))
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--times", type=int, default=50)
    arguments = parser.parse_args()
    if arguments.load:
        url, name_of_file, name, workers = arguments.load
        asyncio.run(load(url, name_of_file, name, int(workers)))
        return
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedServer("kills", settings=DURABLE) as server,
        through(server.tcp_url) as network,
    ):
        file = Path(folder) / "records.parquet"
        write(file, arguments.records)
        kills = Kills(
            server.url, network, file, arguments.records, lambda: server.restart("immediate"), random.Random(1)
        )
        asyncio.run(kills.run(arguments.times))
    faults = sum(kills.faults.values())
    sys.stdout.write(
        f"{faults} faults in {kills.loads} loads of {arguments.records:,} records, all of them whole at their end: "
        f"{dict(kills.faults)}; {time.monotonic() - started:.0f} s\n"
    )


if __name__ == "__main__":
    main()
