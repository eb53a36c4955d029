"""What goes wrong in a test or a run, what is said of it, and that nobody else suffers: the plugin in inner runs."""

import re
import secrets
import signal
import socket
import sys
import textwrap

import pytest

from tests.inner_runs import (
    ALONE,
    AUTO,
    CONFTEST,
    NO_CACHE,
    Runs,
    execute,
    inner,
    inner_files,
    left_of,
    part_of,
    project,
)

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR

# The name of the database is for those who look for it after the run.
ONE_TEST = """
SLEEP = "SELECT pg_sleep(60)"

async def test_it(db, database_url):
    Path("database").write_text(database_url.database)
    await put(db, "a")
"""
AND_ANOTHER = """
async def test_another(db):
    assert await names(db) == []
"""
SEED_RAISES = """

async def seed(db):
    raise ValueError("the seed is broken")


@pytest.fixture(scope="session")
def pg_schema():
    return Schema(metadata=[Base.metadata], seed=seed)
"""
UNIQUE = """

@pytest.fixture(scope="session")
def pg_schema():
    return Schema(files=[Path(__file__)])
"""
MIGRATED = """

@pytest.fixture(scope="session")
def pg_schema():
    return Schema(migrations=Path(__file__).with_name("alembic.ini"))
"""
BROKEN_MIGRATION = {
    "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n",
    "migrations/env.py": "from dal.migrations import run_env\n\nrun_env(None)\n",
    "migrations/versions/0001_broken.py": """
        from alembic import op

        revision = "0001"
        down_revision = None

        def upgrade():
            op.execute("CREATE TABLE nonsense")
        """,
}


@pytest.fixture(scope="module")
def runs(pg_server, tmp_path_factory):
    """Begin all the inner runs of this module."""
    runs = Runs()
    role = f"role_{secrets.token_hex(4)}"
    execute(pg_server, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    by_role = pg_server.set(username=role, password="x").render_as_string(hide_password=False)
    many = inner_files(vars(sys.modules[__name__]).values())
    leaks = {name: many.pop(name) for name in list(many) if "test_a_connection_" in name}

    def run(name, files, *arguments, server=None):
        made = project(tmp_path_factory.mktemp(name), pg_server, files)
        runs.start(name, lambda: (made.run(*AUTO, *ALONE, *NO_CACHE, *arguments, server=server), made.folder))

    run("many", many, "-o", "dal_statement_timeout_s=0.5")
    run("killed", _ending_in("os.kill(os.getpid(), signal.SIGKILL)"))
    run("in a statement", _ending_in("os.kill(os.getpid(), signal.SIGINT)", "await db.execute_script(SLEEP)"))
    run("in a database", _ending_in("raise KeyboardInterrupt", mark="pytest.mark.database"))
    run("isolation", {"test_it.py": ONE_TEST}, "-o", "dal_isolation=savepoint")
    run("timeout", {"test_it.py": ONE_TEST}, "-o", "dal_statement_timeout_s=soon")
    run("seed", {"test_it.py": ONE_TEST, "conftest.py": CONFTEST + SEED_RAISES})
    run("migration", {"test_it.py": ONE_TEST, "conftest.py": CONFTEST + MIGRATED, **BROKEN_MIGRATION})
    run("nobody", {"test_it.py": ONE_TEST}, server=f"postgresql://postgres@127.0.0.1:{_closed_port()}/postgres")
    # A schema of its own, so that there is no template that the role could clone.
    conftest = f"{CONFTEST}{UNIQUE}# {role}"
    run("role", {"test_it.py": ONE_TEST, "conftest.py": conftest}, server=by_role)
    run("leaks", leaks)
    yield runs
    runs.close()
    execute(pg_server, f"DROP ROLE {role}")


@pytest.fixture
def ended(runs, request):
    """Give what became of the inner tests of this rule."""
    run, _ = runs["leaks" if "test_a_connection_" in request.function.__name__ else "many"]
    return part_of(run, request.function)


@pytest.fixture
def taken_at(runs, request):
    """Give the line of code that a report says a test took its connection at."""

    def taken_at(text, test):
        name = f"{request.function.__name__}.py"
        (number,) = set(re.findall(rf"{name}:(\d+) in {test}\(\)", text))
        return (runs["leaks"][1] / name).read_text().splitlines()[int(number) - 1]

    return taken_at


def _ending_in(*lines, mark=None):
    marked = f"pytestmark = {mark}\n" if mark else ""
    return {"test_it.py": marked + ONE_TEST + textwrap.indent("\n".join(lines), "    ") + AND_ANOTHER}


def _closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _one_usage_error(run):
    assert run.code == USAGE_ERROR, run.output
    lines = run.lines("dal")
    assert len(lines) == 1, run.output
    assert "Traceback" not in run.output
    return lines[0]


@inner("""
    @pytest.fixture
    async def broken(db):
        await put(db, "left")
        raise ValueError("before")
        yield

    @pytest.fixture
    async def broken_later(db):
        yield
        await put(db, "left")
        raise ValueError("after")

    @pytest.fixture
    async def broken_in_a_unit_of_work(unit_of_work):
        unit_of_work.session.add(Item(name="left"))
        await unit_of_work.session.flush()
        raise ValueError("inside")

    def test_before(broken):
        pass

    async def test_next(db):
        assert await names(db) == []

    def test_after(broken_later):
        pass

    async def test_next_again(db):
        assert await names(db) == []

    def test_inside(broken_in_a_unit_of_work):
        pass

    async def test_last(db):
        assert await names(db) == []
    """)
def test_a_fixture_that_raises_hurts_only_its_own_test(ended):
    assert "ValueError: before" in ended.failure("test_before").text
    assert "ValueError: after" in ended.failure("test_after").text
    assert "ValueError: inside" in ended.failure("test_inside").text
    ended.passed("test_next", "test_next_again", "test_last")


@inner("""
    async def test_a_script_commits(db):
        # What holds a function's body is not taken apart.
        await db.execute_script("INSERT INTO items (name) VALUES ('begin atomic'); COMMIT")

    async def test_next(db, database_url):
        assert is_sandbox(database_url)
        assert await names(db) == []
        await put(db, "b")

    @pytest.mark.database
    async def test_in_a_database(db):
        await db.execute_script("INSERT INTO items (name) VALUES ('a'); COMMIT")
        assert await names(db) == ["a"]

    async def test_and_next(db):
        assert await names(db) == []
    """)
def test_a_commit_that_gets_through_is_told_and_the_next_test_is_on_another_database(ended):
    assert "pytest.mark.database" in ended.failure("test_a_script_commits").text
    ended.passed("test_next", "test_in_a_database", "test_and_next")


@inner("""
    kept = []

    async def test_keeps(db):
        connection = await db.engine.connect()
        kept.append(connection)
        await connection.execute(text("SELECT 1"))

    async def test_next(db):
        assert await names(db) == []

    @pytest.mark.database
    async def test_keeps_in_a_database(db):
        kept.append(await db.engine.connect())

    async def test_and_next(db):
        kept.clear()
        assert await names(db) == []

    async def test_and_the_one_after(db):
        assert await names(db) == []
    """)
def test_a_connection_that_is_left_out_fails_its_test_and_names_the_line(ended, taken_at):
    for test in ("test_keeps", "test_keeps_in_a_database"):
        failure = ended.failure(test)
        assert "the test left 1 connections out" in failure.text
        assert "await db.engine.connect()" in taken_at(failure.text, test)
    ended.passed("test_next", "test_and_next", "test_and_the_one_after")


@inner("""
    async def test_drops(db):
        connection = await db.engine.connect()
        await connection.execute(text("SELECT 1"))

    async def test_next(db):
        assert await names(db) == []

    async def test_drops_a_circle(db):
        connection = await db.engine.connect()
        circle = [connection]
        circle.append(circle)

    async def test_and_next(db):
        assert await names(db) == []

    async def test_drops_and_collects(db):
        await db.engine.connect()
        gc.collect()

    async def test_and_the_one_after(db):
        assert await names(db) == []
    """)
def test_a_connection_left_to_the_garbage_collector_fails_its_test_and_names_the_line(ended, taken_at):
    for test in ("test_drops", "test_drops_a_circle"):
        assert "await db.engine.connect()" in taken_at(ended.failure(test).text, test)
    # SQLAlchemy's own warning came first; it knows no line.
    assert "non-checked-in connection" in ended.failure("test_drops_and_collects").text
    ended.passed("test_next", "test_and_next", "test_and_the_one_after")


@inner("""
    async def test_hangs(db):
        async with db.writing() as session:
            await session.execute(text("SELECT pg_sleep(60)"))

    @pytest.mark.database
    async def test_hangs_in_a_database(db):
        await db.execute_script("SELECT pg_sleep(60)")

    async def test_next(db):
        assert await names(db) == []
    """)
def test_a_statement_that_hangs_is_cancelled_and_listed_with_its_line(ended):
    for test in ("test_hangs", "test_hangs_in_a_database"):
        failure = ended.failure(test)
        assert failure.seconds < 5
        assert "QueryCanceled" in failure.text
        (section,) = [text for title, text in failure.sections if title == "statements sent until call ended"]
        assert f"in {test}(): SELECT pg_sleep(60)" in section
        assert "test_a_statement_that_hangs_is_cancelled_and_listed_with_its_line.py:" in section
    ended.passed("test_next")


@inner("""
    async def test_too_many(db):
        with assert_statements(1):
            async with db.reading() as session:
                await session.execute(text("SELECT 1"))
                await session.execute(text("SELECT 2"))

    async def test_at_most(db):
        with assert_statements(max=1):
            await names(db)
    """)
def test_a_wrong_number_of_statements_lists_them_with_their_lines(ended):
    text = ended.failure("test_too_many").text
    assert "2 statements were sent, not 1" in text
    for statement in ("SELECT 1", "SELECT 2"):
        assert f"in test_too_many(): {statement}" in text
    ended.passed("test_at_most")


@inner("""
    async def test_nested(db):
        async with UnitOfWork(db) as outer:
            await outer.session.execute(text("SELECT 1"))
            async with UnitOfWork(db, independent=True) as nested:
                await nested.session.execute(text("SELECT 2"))

    async def test_next(db):
        assert await names(db) == []

    @pytest.mark.database
    async def test_nested_in_a_database(db):
        async with UnitOfWork(db) as outer:
            await outer.session.execute(text("SELECT 1"))
            async with UnitOfWork(db, independent=True) as nested:
                await nested.session.execute(text("SELECT 2"))
    """)
def test_nested_connections_in_a_sandbox_are_refused_in_seconds_and_told_the_way_out(ended):
    failure = ended.failure("test_nested")
    assert "LockNotAvailable" in failure.text
    assert "pytest.mark.database" in failure.text
    assert failure.seconds < 5
    ended.passed("test_next", "test_nested_in_a_database")


@pytest.mark.parametrize("how", ["in a statement", "in a database"])
def test_an_interrupted_run_ends_as_such_and_drops_its_databases(runs, pg_server, how):
    run, folder = runs[how]
    assert run.code == pytest.ExitCode.INTERRUPTED, run.output
    assert "KeyboardInterrupt" in run.output
    assert left_of(pg_server, (folder / "database").read_text()) == []


def test_the_next_run_drops_what_a_killed_one_left(runs, pg_server):
    run, folder = runs["killed"]
    assert run.code == -signal.SIGKILL
    assert runs["leaks"]  # a run that began later
    assert left_of(pg_server, (folder / "database").read_text()) == []


def test_an_isolation_that_is_none_is_one_line(runs):
    assert "dal_isolation is 'savepoint'; it is sandbox or database." in _one_usage_error(runs["isolation"][0])


def test_a_timeout_that_is_none_is_one_line(runs):
    assert "dal_statement_timeout_s is 'soon'; it is a number of seconds." in _one_usage_error(runs["timeout"][0])


def test_a_server_that_is_not_there_is_one_line(runs):
    assert "dal: cannot connect to postgres@127.0.0.1:" in _one_usage_error(runs["nobody"][0])


def test_a_role_that_may_not_create_databases_is_one_line(runs):
    assert "permission denied to create database" in _one_usage_error(runs["role"][0])


@pytest.mark.parametrize(("what", "reason"), [("seed", "the seed is broken"), ("migration", "syntax error")])
def test_a_schema_that_cannot_be_made_tells_why_and_leaves_nothing(runs, what, reason):
    run, folder = runs[what]
    assert run.code != pytest.ExitCode.OK
    assert reason in run.output
    assert not (folder / "database").exists()
    assert "passed" not in run.output
