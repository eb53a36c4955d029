"""Runs of pytest inside the tests, for the rules of the plugin: many inner tests in few runs, for a run takes seconds.

A rule is an outer test with its inner ones beside it: `@inner(source)`. All rules of one outer module become one inner
project with a file for each; it is run once, and every outer test reads what became of its own file.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL

from tests.looking import connect

F = TypeVar("F", bound=Callable[..., Any])

# pytest-asyncio warns where it is not told; what is tested in order must not be shuffled.
ARGUMENTS: Final = (
    "-q", "-W", "error", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:randomly",
    "--continue-on-collection-errors", "--timeout=20",
)  # fmt: skip
NO_CACHE: Final = ("-p", "no:cacheprovider")
# Plugins that no rule is about cost half a second each.
ALONE: Final = ("-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:postgresql")
AUTO: Final = ("-o", "asyncio_mode=auto")
_PATIENCE_S: Final = 50
# More at once would take turns on the two cores of a small machine, and the short delays under test would grow.
_AT_ONCE: Final = 2
# What an outer run tells its workers is not meant for an inner one.
_NOT_INHERITED: Final = ("PYTEST_", "DAL_", "COV_")

SHOP: Final = """
import asyncpg
from sqlalchemy import ForeignKey, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dal import UnitOfWork


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("items.id", deferrable=True, initially="DEFERRED"))


async def put(db, *names):
    async with UnitOfWork(db) as unit_of_work:
        unit_of_work.session.add_all(Item(name=name) for name in names)


async def names(db):
    async with db.reading() as session:
        return sorted(await session.scalars(select(Item.name)))


def dsn(url):
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def connect(url, **settings):
    return await asyncpg.connect(dsn(url), server_settings=settings)


def is_sandbox(url):
    return "dal-sandbox-" in url.query.get("host", "")
"""

_SCHEMA: Final = """
import json
import os
from pathlib import Path

import pytest

from dal.testing import Schema
from shop import Base


@pytest.fixture(scope="session")
def pg_schema():
    return Schema(metadata=[Base.metadata])
"""
REPORTING: Final = """

def pytest_runtest_logreport(report):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        told = [report.nodeid, report.when, report.outcome, report.longreprtext, report.sections, report.duration]
        with Path("reports").open("a") as reports:
            print(json.dumps([*told, dict(report.user_properties)]), file=reports)
"""
CONFTEST: Final = _SCHEMA + REPORTING

_IMPORTS: Final = """
import asyncio, gc, os, signal, time
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import select, text

from dal import Database, PoolConfig, UnitOfWork
from dal.errors import *
from dal.testing import assert_statements
from shop import *
"""


@dataclass(frozen=True)
class Report:
    """What pytest reported of one phase of one inner test."""

    nodeid: str
    when: str
    outcome: str
    text: str
    sections: Sequence[tuple[str, str]]
    seconds: float
    properties: Mapping[str, Any]

    @property
    def test(self) -> str:
        """The test's name without its file."""
        return self.nodeid.rpartition("::")[2]


@dataclass(frozen=True)
class Ended:
    """An inner run, or the part of it that one rule is about."""

    code: int
    output: str
    seconds: float
    reports: Sequence[Report] = field(repr=False)

    def of(self, test: str) -> list[Report]:
        """List the reports of *test*, a name or a whole id, one for each phase."""
        return [report for report in self.reports if test in {report.test, report.nodeid}]

    def failure(self, test: str) -> Report:
        """Give the one report that says why *test* failed."""
        failures = [report for report in self.of(test) if report.outcome == "failed"]
        assert len(failures) == 1, [(report.when, report.outcome, report.text) for report in self.of(test)]
        return failures[0]

    def passed(self, *tests: str) -> None:
        """Demand that *tests* passed in all phases, or all that there are."""
        __tracebackhide__ = True
        assert self.reports, self.output
        for test in tests or [report.nodeid for report in self.reports]:
            reports = self.of(test)
            assert {report.when for report in reports} == {"setup", "call", "teardown"}, f"{test}:\n{self.output}"
            failures = [report.text for report in reports if report.outcome != "passed"]
            assert not failures, "\n".join([test, *failures])

    def lines(self, words: str) -> list[str]:
        """List the lines that were printed and have *words* in them."""
        return [line for line in self.output.splitlines() if words in line]

    def property(self, name: str) -> dict[str, Any]:
        """Map the tests to what they recorded as *name*."""
        return {report.test: report.properties[name] for report in self.reports if name in report.properties}


@dataclass(frozen=True)
class Project:
    """A folder with inner tests, and the server for them."""

    folder: Path
    server: URL

    def write(self, files: Mapping[str, str]) -> None:
        """Write *files*; test files get the imports that most need."""
        for name, source in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((_IMPORTS if path.name.startswith("test_") else "") + textwrap.dedent(source))

    def change(self, name: str, old: str, new: str) -> None:
        """Write *new* in place of *old* in a file."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run(self, *arguments: str, server: str | None = None) -> Ended:
        """Run pytest in the folder."""
        (self.folder / "reports").unlink(missing_ok=True)
        where = server or self.server.render_as_string(hide_password=False)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        started = time.monotonic()
        command = [sys.executable, "-m", "pytest", *ARGUMENTS, f"--postgres={where}", *arguments]
        with (self.folder / "output").open("w+") as output:
            try:
                code = subprocess.run(
                    command,
                    cwd=self.folder,
                    env=inherited,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    timeout=_PATIENCE_S,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                code = -signal.SIGKILL  # what it reported until then is worth a look
            output.seek(0)
            return Ended(code, output.read(), time.monotonic() - started, self._reports())

    def _reports(self) -> list[Report]:
        told = self.folder / "reports"
        return [Report(*json.loads(line)) for line in told.read_text().splitlines()] if told.exists() else []


def project(folder: Path, server: URL, files: Mapping[str, str]) -> Project:
    """Make a project with a small schema, and *files*."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Project(folder, server)
    made.write({"pytest.ini": "[pytest]\n", "conftest.py": CONFTEST, "shop.py": SHOP, **files})
    return made


def inner(source: str) -> Callable[[F], F]:
    """Put the inner tests of *source* beside the outer test that tells what became of them."""

    def beside(outer: F) -> F:
        outer.inner = source  # type: ignore[attr-defined] # read by inner_files
        return outer

    return beside


def inner_files(outer: Iterable[Any]) -> dict[str, str]:
    """Make a file of what is beside each *outer* test."""
    return {f"{test.__name__}.py": test.inner for test in outer if hasattr(test, "inner")}


def part_of(run: Ended, outer: Callable[..., Any]) -> Ended:
    """Take what is about *outer*'s own file."""
    mine = [report for report in run.reports if report.nodeid.startswith(f"{outer.__name__}.py::")]
    return Ended(run.code, run.output, run.seconds, mine)


class Runs:
    """Inner runs that are under way, a few at a time, while outer tests wait for those that they are about."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="inner run")
        self._started: dict[str, Future[Any]] = {}

    def start(self, name: str, work: Callable[[], Any]) -> None:
        """Begin *work* when it is its turn."""
        self._started[name] = self._pool.submit(work)

    def __getitem__(self, name: str) -> Any:
        """Wait for what was started as *name*."""
        return self._started[name].result()

    def close(self) -> None:
        """Wait for all."""
        self._pool.shutdown(cancel_futures=True)


def databases(server: URL) -> dict[str, int]:
    """Map the names of the server's databases to their numbers."""

    async def look() -> dict[str, int]:
        connection = await connect(server)
        try:
            return dict(await connection.fetch("SELECT datname, oid FROM pg_database"))
        finally:
            await connection.close()

    return asyncio.run(look())


def execute(server: URL, statement: str) -> None:
    """Run *statement* on the server."""

    async def run() -> None:
        connection = await connect(server)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def left_of(server: URL, database: str) -> list[str]:
    """List the databases of the run that made *database*."""
    prefix = database.rpartition("_")[0] + "_"
    return [name for name in databases(server) if name.startswith(prefix)]
