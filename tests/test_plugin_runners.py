"""Who runs the tests, and how often: pytest-asyncio, anyio, xdist, --lf, and templates kept from run to run."""

import secrets

import pytest

from tests.inner_runs import ALONE, AUTO, NO_CACHE, REPORTING, Runs, execute, left_of, project

STRICT = ("-o", "asyncio_mode=strict")

BY_LOOP = {
    "test_function.py": """
        pytestmark = pytest.mark.asyncio

        async def test_one(db, session, connection, unit_of_work):
            assert await names(db) == []

        async def test_other(unit_of_work):
            unit_of_work.session.add(Item(name="a"))
            await unit_of_work.session.flush()
    """,
    **{
        f"test_{scope}.py": f"""
            pytestmark = pytest.mark.asyncio(loop_scope="{scope}")
            loops = set()

            async def test_one(db):
                loops.add(asyncio.get_running_loop())
                await put(db, "a")

            async def test_other(db, unit_of_work):
                loops.add(asyncio.get_running_loop())
                assert len(loops) == 1
                assert await unit_of_work.session.scalar(text("SELECT count(*) FROM items")) == 0

            @pytest.mark.database
            async def test_last(db):
                assert await names(db) == []

            @pytest.mark.asyncio(loop_scope="function")
            async def test_in_a_loop_of_its_own(db):
                assert asyncio.get_running_loop() not in loops
                assert await names(db) == []
        """
        for scope in ("module", "session")
    },
}

BY_ANYIO = {
    f"test_{name}.py": f"""
        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return {backend!r}

        async def test_one(db, session, connection):
            assert type(asyncio.get_running_loop()).__module__.startswith("uvloop") is {uvloop}
            await put(db, "a")

        async def test_other(db, unit_of_work):
            assert await unit_of_work.session.scalar(text("SELECT count(*) FROM items")) == 0

        @pytest.mark.database
        async def test_last(db):
            assert await names(db) == []

        async def test_at_once(db):
            await asyncio.gather(*(put(db, str(number)) for number in range(10)))
            assert len(await names(db)) == 10
    """
    for name, backend, uvloop in (
        ("asyncio", "asyncio", False),
        ("uvloop", ("asyncio", {"use_uvloop": True}), True),
    )
}

# Says which template its database is a clone of, and how often one was made.
TELLING = """
import json
import os
from pathlib import Path

import asyncpg
import pytest

from dal.testing import Schema
from shop import *


async def seed(db):
    with Path(__file__).with_name("made").open("a") as made:
        made.write("once\\n")
    await put(db, "of the seed")


@pytest.fixture(scope="session")
def pg_schema():
    here = Path(__file__).parent
    return Schema(migrations=here / "alembic.ini", metadata=[Base.metadata], seed=seed, files=[here / "rows.sql"])


@pytest.fixture
async def told(db, database_url, pg_schema, pg_server, worker_id, record_property):
    async with db.engine.connect() as connection:
        version = (await connection.get_raw_connection()).driver_connection.get_server_version()
        user = await connection.scalar(text("SELECT current_user"))
        template = f"dal_template_{pg_schema.key(f'{version.major}.{version.minor} {user}')}"
        oid = await connection.scalar(text("SELECT oid FROM pg_database WHERE datname = :name"), {"name": template})
    record_property("worker", worker_id)
    record_property("database", database_url.database)
    record_property("template", template)
    record_property("oid", oid)
"""
MIGRATED = {
    "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n",
    "migrations/env.py": "from dal.migrations import run_env\n\nrun_env(None)\n",
    "migrations/versions/0001_first.py": """
        from alembic import op

        revision = "0001"
        down_revision = None

        def upgrade():
            op.execute("CREATE TABLE first (id int)")
        """,
}
MANY = """
    @pytest.mark.parametrize("number", range(8))
    async def test_sandboxed(db, told, number):
        assert await names(db) == ["of the seed"]
        await put(db, "a")
        await asyncio.sleep(0.05)  # so that one worker does not take them all

    @pytest.mark.database
    @pytest.mark.parametrize("number", range(4))
    async def test_in_a_database(db, told, number):
        assert await names(db) == ["of the seed"]
        await put(db, "a")
    """
FEW = """
    @pytest.mark.parametrize("number", range(8))
    async def test_few(db, told, number):
        await put(db, "a")
    """
CRASHES = """
    async def test_crashes(db, told, database_url):
        Path("crashed").write_text(database_url.database)
        os._exit(1)
    """
PASSES = """
    async def test_passes(db, told):
        assert len(await names(db)) == 1
    """
FAILS = """
    async def test_fails(db, told):
        await put(db, "a")
        assert False
    """


def _history(made):
    """Run one project again and again, with a change of something before most runs."""
    arguments = (*AUTO, "-p", "no:postgresql", "-p", "no:hypothesispytest")
    yield "workers", made.run(*arguments, "-n2")
    made.write({"test_many.py": FEW, "test_crash.py": CRASHES})
    yield "crash", made.run(*arguments, "-n2")
    (made.folder / "test_crash.py").unlink()
    made.write({"test_many.py": PASSES + FAILS, "rows.sql": "-- changed"})
    yield "file", made.run(*arguments)
    made.change("shop.py", "    name:", "    more: Mapped[int | None]\n    name:")
    yield "metadata", made.run(*arguments, "--lf")
    made.write({"test_many.py": PASSES})
    made.change("migrations/versions/0001_first.py", "id int", "id int, name text")
    yield "migration", made.run(*arguments)
    made.change("conftest.py", "of the seed", "of another seed")
    yield "seed", made.run(*arguments)


@pytest.fixture(scope="module")
def runs(pg_server, tmp_path_factory):
    """Begin all the inner runs of this module."""
    runs = Runs()
    files = {
        "conftest.py": TELLING + REPORTING,
        "test_many.py": MANY,
        "made": "",
        "rows.sql": f"-- {secrets.token_hex(8)}",
        **MIGRATED,
    }
    made = project(tmp_path_factory.mktemp("history"), pg_server, files)
    history = {}
    runs.start("history", lambda: history.update(_history(made)) or history)
    for name, files, mode in (("strict", {**BY_LOOP, **BY_ANYIO}, STRICT), ("auto", BY_LOOP, AUTO)):
        other = project(tmp_path_factory.mktemp(name), pg_server, files)
        runs.start(name, lambda other=other, mode=mode: other.run(*mode, *ALONE, *NO_CACHE))
    runs.folder = made.folder
    yield runs
    runs.close()
    for template in {name for run in history.values() for name in run.property("template").values()}:
        execute(pg_server, f"DROP DATABASE IF EXISTS {template}")


@pytest.fixture
def history(runs):
    """Give the runs of the one project, in their order."""
    return runs["history"]


@pytest.mark.parametrize("mode", ["strict", "auto"])
@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_fixtures_run_in_the_loop_of_the_test(runs, mode, scope):
    run = runs[mode]
    run.passed(*{report.nodeid for report in run.reports if report.nodeid.startswith(f"test_{scope}.py")})


@pytest.mark.parametrize("backend", ["asyncio", "uvloop"])
def test_fixtures_run_under_anyio(runs, backend):
    run = runs["strict"]
    run.passed(*{report.nodeid for report in run.reports if report.nodeid.startswith(f"test_{backend}.py")})


def test_every_worker_has_databases_of_its_own(history):
    run = history["workers"]
    run.passed()
    assert run.code == 0, run.output
    by_worker = {}
    for test, worker in run.property("worker").items():
        by_worker.setdefault(worker, set()).add(run.property("database")[test].rpartition("_")[0])
    assert by_worker.keys() == {"gw0", "gw1"}
    assert not set.intersection(*by_worker.values())


def test_workers_leave_no_databases(history, pg_server):
    for database in set(history["workers"].property("database").values()):
        assert left_of(pg_server, database) == []


def test_workers_at_once_make_one_template(history):
    assert len(set(history["workers"].property("oid").values())) == 1
    assert len(set(history["workers"].property("template").values())) == 1


def test_the_next_run_takes_the_same_template(history):
    assert set(history["crash"].property("oid").values()) == set(history["workers"].property("oid").values())


@pytest.mark.parametrize("change", ["file", "metadata", "migration", "seed"])
def test_a_change_of_the_schema_makes_a_new_template(history, change):
    order = list(history)
    before = set(history[order[order.index(change) - 1]].property("oid").values())
    after = set(history[change].property("oid").values())
    assert len(after) == 1
    assert before.isdisjoint(after)


def test_a_template_is_made_once(history, runs):
    assert len(set().union(*(run.property("template").values() for run in history.values()))) == 5
    assert (runs.folder / "made").read_text().splitlines() == ["once"] * 5


def test_a_worker_that_crashes_takes_nobody_with_it(history):
    run = history["crash"]
    assert "crashed while running 'test_crash.py::test_crashes'" in run.failure("test_crashes").text
    others = {report.nodeid for report in run.reports} - {"test_crash.py::test_crashes"}
    assert len(others) == 8
    run.passed(*others)


def test_the_next_run_drops_what_a_crashed_worker_left(history, runs, pg_server):
    assert left_of(pg_server, (runs.folder / "crashed").read_text()) == []


def test_last_failed_runs_again_what_failed(history):
    history["file"].passed("test_passes")
    assert "assert False" in history["file"].failure("test_fails").text
    assert {report.test for report in history["metadata"].reports} == {"test_fails"}
    assert "assert False" in history["metadata"].failure("test_fails").text
