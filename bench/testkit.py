"""What a test costs on dal's test kit, and on pytest-postgresql: the same tables, the same row, one embedded server.

Each contender is a suite of `bench.testkit_suites`, run by pytest in a process of its own with two workers of
pytest-xdist, and with no other plugin than pytest-asyncio and the contender's own. What is timed:

- `empty`: tests that do nothing, which is what every other figure is over.
- `sandbox`, `database`: dal's `db`, with one row written in a unit of work and read back.
- `pytest_postgresql`: its template by `postgresql_noproc(load=...)`, with the same done by psycopg on its connection.
- `first_test`: from the start of `python -m pytest` to the end of its first test, in dal's sandbox, with no workers.
  The template is there from before; the server is started by the run, in whose time that is.

The cost of a test is the time from one test's end to the next one's in a worker, on average, over that of an empty
test. It holds all that happens between, such as clones under way in the background or dropped, but neither the start
nor the end of a run: the time up to the end of a worker's first test is left out, and so is its last test, which closes
what the session shared. The whole run's seconds would need the start taken off, which varies by tenths of a second, or
some milliseconds for each of 200 tests; they are kept beside, as `rounds_s`: what somebody waits for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from sqlalchemy import text

from bench.plot import bars
from bench.report import RESULTS, Contender, Report, alternate, machine_facts, medians
from dal import Database, PoolConfig
from dal.testing import EmbeddedServer

PACKAGES: Final = (
    "asyncpg", "sqlalchemy", "psycopg", "pytest", "pytest-asyncio", "pytest-xdist", "pytest-postgresql"
)  # fmt: skip
WORKERS: Final = 2
SERVER: Final = "bench-testkit"
SUITES: Final = Path(__file__).with_name("testkit_suites")
# What else is installed here takes time in every test, and is none of the contenders'.
ENVIRONMENT: Final = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
XDIST: Final = ("-p", "xdist.plugin")
DAL: Final = ("-p", "dal.testing.plugin")


@dataclass(frozen=True, slots=True)
class Size:
    """How many tests a suite has, how many where each has a database of its own, and how often they are run."""

    tests: int
    databases: int
    rounds: int


FULL: Final = Size(tests=1000, databases=200, rounds=5)
TINY: Final = Size(tests=20, databases=10, rounds=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a test costs with a database to itself.")
    parser.add_argument("--tiny", action="store_true", help="a few seconds in all; keeps no results")
    tiny = parser.parse_args().tiny
    with tempfile.TemporaryDirectory(prefix="dal-bench-") as folder:
        results = Path(folder) / "results" if tiny else RESULTS
        asyncio.run(measure(TINY if tiny else FULL, Path(folder), results))


async def measure(size: Size, folder: Path, results: Path) -> None:
    """Measure everything at *size*, with its files under *folder*, and write what came out into *results*."""
    report = Report("testkit", machine_facts(PACKAGES))
    report.facts.update(workers=WORKERS, tests=size.tests, databases=size.databases)
    with EmbeddedServer(SERVER, in_memory=True) as server:
        report.facts["postgres"] = await version_of(server)
        suites = suites_on(server, size, folder)
        report.rounds_s = await alternate([Contender(each.name, each.run) for each in suites], size.rounds)
    costs = costs_ms(suites, size.rounds)
    report.facts["cost_ms"] = {name: [round(cost, 2) for cost in each] for name, each in costs.items()}
    add_ratios(report, costs)
    first = FirstTest(folder)
    report.rounds_s |= await alternate([Contender("first_test", first.run)], size.rounds)
    report.ratio("first_test_s", medians(report.rounds_s)["first_test"], "2.5 or less")
    report.write(results)
    plot(report, costs, results)


@dataclass(slots=True)
class Suite:
    """*tests* tests by `WORKERS` workers; every run adds to `pauses_s`, the seconds from a test's end to the next's."""

    name: str
    tests: int
    options: Sequence[str]
    folder: Path
    pauses_s: list[float] = field(default_factory=list)

    async def run(self) -> float:
        """Run pytest once; gives the seconds of all of it."""
        started = perf_counter()
        ends = run_pytest(f"test_{self.name}.py", self.tests, ["-n", str(WORKERS), *XDIST, *self.options], self.folder)
        seconds = perf_counter() - started
        # A worker's first test makes what the session shares, and its last one closes that.
        spans = [(each[-2] - each[0], len(each) - 2) for each in ends]
        self.pauses_s.append(sum(span for span, _ in spans) / sum(tests for _, tests in spans))
        return seconds


@dataclass(frozen=True, slots=True)
class FirstTest:
    """A run whose server is down at the start."""

    folder: Path

    async def run(self) -> float:
        """Run pytest once; gives the seconds up to the end of the first test."""
        if is_up(EmbeddedServer(SERVER, in_memory=True)):
            raise SystemExit("somebody else uses the benchmark's server: a second run of this benchmark, perhaps.")
        started = perf_counter()
        # The second test is there to be the last: that one waits until the server is down.
        [ends] = run_pytest("test_first.py", 2, DAL, self.folder)
        return ends[0] - started


def run_pytest(suite: str, tests: int, options: Sequence[str], folder: Path) -> list[list[float]]:
    """Have *tests* tests of *suite* run; gives the moments they ended at, on this process's clock, by worker."""
    # The moments can be compared: perf_counter is the same clock for all processes.
    with tempfile.TemporaryDirectory(dir=folder) as ends:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-qx",
            "--tb=short",
            "-p",
            "no:cacheprovider",
            "-p",
            "pytest_asyncio.plugin",
        ]
        given = [*options, f"--tests={tests}", f"--ends={ends}", str(SUITES / suite)]
        done = subprocess.run(
            [*command, *given], cwd=SUITES.parents[1], env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        found = [json.loads(each.read_text()) for each in Path(ends).iterdir()]
    if done.returncode or sum(map(len, found)) != tests:
        raise SystemExit(f"{suite} did not pass {tests} tests:\n{done.stdout}{done.stderr}")
    return found


def suites_on(server: EmbeddedServer, size: Size, folder: Path) -> list[Suite]:
    url = server.url.render_as_string(hide_password=False)
    dal = [*DAL, f"--postgres={url}"]
    # A name of this run's own: what a killed run left behind would else end the next one.
    database = f"--postgresql-dbname=bench_{os.getpid()}_"
    where = [f"--postgresql-host={server.socket_dir}", f"--postgresql-port={server.port}", database]
    return [
        Suite("empty", size.tests, [], folder),
        Suite("sandbox", size.tests, dal, folder),
        Suite("pytest_postgresql", size.databases, ["-p", "pytest_postgresql.plugin", *where], folder),
        Suite("database", size.databases, dal, folder),
    ]


async def version_of(server: EmbeddedServer) -> str:
    async with Database(server.url, pool=PoolConfig(size=1)) as database, database.reading() as session:
        return str(await session.scalar(text("SHOW server_version")))


def is_up(server: EmbeddedServer) -> bool:
    try:
        return server.port > 0
    except OSError:  # there is no postmaster.pid
        return False


def costs_ms(suites: Sequence[Suite], rounds: int) -> dict[str, list[float]]:
    """Give the milliseconds of a test over an empty one, in each of the last *rounds* rounds."""
    empty, *others = [(suite.name, suite.pauses_s[-rounds:]) for suite in suites]
    return {
        name: [(pause - nothing) * 1000 for pause, nothing in zip(pauses, empty[1], strict=True)]
        for name, pauses in others
    }


def add_ratios(report: Report, costs: dict[str, list[float]]) -> None:
    middle = {name: median(each) for name, each in costs.items()}
    report.ratio("sandbox_ms", middle["sandbox"], "3 or less")
    report.ratio("database_ms", middle["database"], "60 or less")
    report.ratio("clone_vs_pytest_postgresql", middle["pytest_postgresql"] / middle["database"], "1.5")
    report.ratio(f"sandbox_{report.facts['tests']}_tests_s", medians(report.rounds_s)["sandbox"], "none")


def plot(report: Report, costs: dict[str, list[float]], folder: Path) -> None:
    """Draw the costs, from the cheapest round to the dearest."""
    shown = {
        "pytest-postgresql, a clone": "pytest_postgresql",
        "dal, a clone": "database",
        "dal, the sandbox": "sandbox",
    }
    bars(
        folder / f"{report.name}.svg",
        title="A test that writes a row and reads it, in a database of 12 tables",
        axis=f"ms per test over an empty one (median, least and most of {len(costs['database'])})",
        measured={label: costs[name] for label, name in shown.items()},
    )


if __name__ == "__main__":
    main()
