"""What a test's database keeps apart, and what it lets through: the pytest plugin in one inner run."""

import sys

import pytest

from tests.inner_runs import ALONE, AUTO, CONFTEST, NO_CACHE, inner, inner_files, part_of, project

DRIVER = """
from shop import connect


@pytest.fixture
async def driver(database_url):
    connection = await connect(database_url)
    yield connection
    await connection.close()
"""


@pytest.fixture(scope="module")
def run(pg_server, tmp_path_factory):
    """Run what is beside the tests of this module."""
    files = inner_files(vars(sys.modules[__name__]).values())
    made = project(tmp_path_factory.mktemp("isolation"), pg_server, {**files, "conftest.py": CONFTEST + DRIVER})
    return made.run(*AUTO, *ALONE, *NO_CACHE, *files)


@pytest.fixture
def held(run, request):
    """Demand that all inner tests of this rule passed."""
    return part_of(run, request.function).passed


@inner("""
    async def test_one_commits(db, database_url):
        assert is_sandbox(database_url)
        await put(db, "left")
        assert await names(db) == ["left"]

    async def test_the_next_sees_nothing(db):
        assert await names(db) == []
        await put(db, "left")

    async def test_and_the_next(db):
        assert await names(db) == []
    """)
def test_what_a_sandboxed_test_commits_the_next_does_not_see(held):
    held()


@inner("""
    pytestmark = pytest.mark.database
    seen = []

    async def test_one_commits(db, database_url):
        seen.append(database_url.database)
        assert not is_sandbox(database_url)
        await put(db, "left")

    async def test_the_next_is_on_another_database(db, database_url):
        assert database_url.database not in seen
        assert await names(db) == []
    """)
def test_what_a_database_test_commits_the_next_does_not_see(held):
    held()


@inner("""
    pytestmark = pytest.mark.database

    def test_of_the_module(database_url):
        assert not is_sandbox(database_url)

    @pytest.mark.sandbox
    def test_of_the_function(database_url):
        assert is_sandbox(database_url)

    @pytest.mark.sandbox
    class TestClass:
        def test_of_the_class(self, database_url):
            assert is_sandbox(database_url)

        @pytest.mark.database
        def test_of_the_method(self, database_url):
            assert not is_sandbox(database_url)
    """)
def test_the_closest_marker_wins(held):
    held()


@inner("""
    async def test_it(db, database_url):
        await put(db, "a")
        async with Database(database_url, pool=PoolConfig(size=1)) as other:
            assert await names(other) == ["a"]
            await put(other, "b")
        assert await names(db) == ["a", "b"]
        async with db.engine.connect() as one:
            assert await one.scalar(text("SELECT count(*) FROM items")) == 2
    """)
def test_a_sandboxed_commit_is_seen_by_other_connections(held):
    held()


@inner("""
    async def test_two_at_once(db, database_url):
        config = PoolConfig(size=2)
        async with Database(database_url, pool=config) as one, Database(database_url, pool=config) as other:
            await put(one, "a")
            await put(other, "b")
            assert await names(one) == await names(other) == await names(db) == ["a", "b"]
            await asyncio.gather(*(put(one, f"one {n}") for n in range(5)), *(put(other, f"{n}") for n in range(5)))
            assert len(await names(db)) == 12

    @pytest.mark.database
    async def test_two_at_once_apart(db, database_url):
        async with Database(database_url, pool=PoolConfig(size=1)) as other:
            await put(db, "a")
            assert await names(other) == ["a"]
    """)
def test_two_databases_may_be_open_at_once(held):
    held()


@inner("""
    async def test_it(db):
        async with UnitOfWork(db) as unit_of_work:
            unit_of_work.session.add(Item(name="kept"))
            with pytest.raises(ZeroDivisionError):
                async with unit_of_work.savepoint():
                    unit_of_work.session.add(Item(name="undone"))
                    await unit_of_work.session.flush()
                    1 / 0
            async with unit_of_work.savepoint():
                unit_of_work.session.add(Item(name="also kept"))
        assert await names(db) == ["also kept", "kept"]

    async def test_a_failed_statement(db):
        async with UnitOfWork(db) as unit_of_work:
            unit_of_work.session.add(Item(name="kept"))
            await unit_of_work.session.flush()
            with pytest.raises(UniqueViolation):
                async with unit_of_work.savepoint():
                    unit_of_work.session.add(Item(name="kept"))
            unit_of_work.session.add(Item(name="also kept"))
        assert await names(db) == ["also kept", "kept"]

    async def test_of_the_driver(driver):
        async with driver.transaction():
            await driver.execute("INSERT INTO items (name) VALUES ('a')")
            with pytest.raises(ZeroDivisionError):
                async with driver.transaction():
                    await driver.execute("INSERT INTO items (name) VALUES ('b')")
                    1 / 0
        assert await driver.fetchval("SELECT string_agg(name, ' ') FROM items") == "a"
    """)
def test_a_savepoint_undoes_only_what_is_inside_it(held):
    held()


@inner("""
    async def test_of_a_database(db):
        await put(db, "a")
        async with db.reading() as session:
            with pytest.raises(UndefinedTable):
                await session.execute(text("SELECT * FROM nowhere"))
            assert await session.scalar(text("SELECT 1")) == 1
        await put(db, "b")
        assert await names(db) == ["a", "b"]

    async def test_of_the_driver(driver):
        await driver.execute("INSERT INTO items (name) VALUES ('a')")
        for statement in ("INSERT INTO items (name) VALUES ('a')", "SELECT 1 / 0", "nonsense"):
            with pytest.raises(asyncpg.PostgresError):
                await driver.execute(statement)
            with pytest.raises(asyncpg.PostgresError):
                await driver.fetch(statement)
        assert await driver.fetchval("SELECT count(*) FROM items WHERE id > $1", 0) == 1
    """)
def test_a_failed_statement_outside_a_transaction_leaves_the_sandbox_usable(held):
    held()


@inner("""
    async def test_raised(db):
        await put(db, "earlier")
        with pytest.raises(ZeroDivisionError):
            async with UnitOfWork(db) as unit_of_work:
                unit_of_work.session.add(Item(name="undone"))
                await unit_of_work.session.flush()
                1 / 0
        assert await names(db) == ["earlier"]

    async def test_refused_by_the_server(db):
        await put(db, "earlier")
        with pytest.raises(UniqueViolation):
            await put(db, "undone", "earlier")
        assert await names(db) == ["earlier"]
        await put(db, "later")
        assert await names(db) == ["earlier", "later"]

    async def test_a_failed_transaction_that_is_committed_is_rolled_back(driver):
        await driver.execute("BEGIN")
        await driver.execute("INSERT INTO items (name) VALUES ('undone')")
        with pytest.raises(asyncpg.PostgresError):
            await driver.execute("SELECT 1 / 0")
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await driver.execute("SELECT 1")
        assert await driver.execute("COMMIT") == "ROLLBACK"
        assert await driver.fetchval("SELECT count(*) FROM items") == 0
    """)
def test_a_rolled_back_unit_of_work_leaves_the_rows_of_an_earlier_one(held):
    held()


@inner("""
    async def test_violated(db):
        await put(db, "earlier")
        with pytest.raises(ForeignKeyViolation):
            async with UnitOfWork(db) as unit_of_work:
                unit_of_work.session.add(Item(name="orphan", parent_id=-1))
                await unit_of_work.session.flush()
                assert await unit_of_work.session.scalar(text("SELECT count(*) FROM items")) == 2
        assert await names(db) == ["earlier"]

    async def test_fulfilled(db):
        async with UnitOfWork(db) as unit_of_work:
            await unit_of_work.session.execute(text("INSERT INTO items VALUES (-2, 'child', -1)"))
            await unit_of_work.session.execute(text("INSERT INTO items VALUES (-1, 'parent')"))
        async with UnitOfWork(db) as unit_of_work:  # and deferred again
            await unit_of_work.session.execute(text("INSERT INTO items VALUES (-4, 'child 2', -3)"))
            await unit_of_work.session.execute(text("INSERT INTO items VALUES (-3, 'parent 2')"))
        assert len(await names(db)) == 4

    async def test_violated_by_a_statement_on_its_own(db):
        with pytest.raises(ForeignKeyViolation):
            await db.execute_script("INSERT INTO items VALUES (-2, 'orphan', -1)")
        assert await names(db) == []
    """)
def test_a_deferred_constraint_is_checked_by_commit(held):
    held()


@inner("""
    @pytest.mark.parametrize("ends", ["commit", "rollback"])
    async def test_of_a_session(db, ends):
        options = {"postgresql_readonly": True}
        async with db.engine.connect() as connection:
            await connection.execution_options(**options)
            assert await connection.scalar(text("SELECT count(*) FROM items")) == 0
            await getattr(connection, ends)()
            with pytest.raises(DatabaseError, match="read-only transaction"):
                await connection.execute(text("INSERT INTO items (name) VALUES ('refused')"))
        await put(db, "written")
        assert await names(db) == ["written"]

    @pytest.mark.parametrize("isolation", [None, "serializable", "repeatable_read"])
    async def test_of_the_driver(isolation, driver):
        async with driver.transaction(readonly=True, isolation=isolation):
            assert await driver.fetchval("SELECT count(*) FROM items") == 0
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with driver.transaction(readonly=True, isolation=isolation):
                await driver.execute("INSERT INTO items (name) VALUES ('refused')")
        async with driver.transaction():
            await driver.execute("INSERT INTO items (name) VALUES ('written')")
        assert await driver.fetchval("SELECT count(*) FROM items") == 1
    """)
def test_a_read_only_transaction_refuses_writes_and_the_next_one_may_write(held):
    held()


@inner("""
    @pytest.mark.parametrize("fails", [False, True])
    async def test_it(db, fails):
        try:
            async with UnitOfWork(db) as unit_of_work:
                await unit_of_work.session.execute(text("SET LOCAL work_mem = '77MB'"))
                assert await unit_of_work.session.scalar(text("SHOW work_mem")) == "77MB"
                if fails:
                    1 / 0
        except ZeroDivisionError:
            pass
        async with UnitOfWork(db) as unit_of_work:
            assert await unit_of_work.session.scalar(text("SHOW work_mem")) != "77MB"

    async def test_on_one_connection(driver):
        for value in ("77MB", "78MB"):
            async with driver.transaction():
                assert await driver.fetchval("SHOW work_mem") not in {"77MB", "78MB"}
                await driver.fetch("SELECT set_config('work_mem', $1, true)", value)
                assert await driver.fetchval("SHOW work_mem") == value
        assert await driver.fetchval("SHOW work_mem") not in {"77MB", "78MB"}

    async def test_the_settings_of_a_connection_are_its_own(database_url, driver):
        one = await connect(database_url, work_mem="71MB")
        other = await connect(database_url, work_mem="72MB")
        try:
            assert await one.fetchval("SHOW work_mem") == "71MB"
            assert await other.fetchval("SHOW work_mem") == "72MB"
            assert await one.fetchval("SHOW work_mem") == "71MB"
            assert await driver.fetchval("SHOW work_mem") not in {"71MB", "72MB"}
        finally:
            await one.close()
            await other.close()
    """)
def test_set_local_does_not_outlive_its_unit_of_work(held):
    held()


@inner("""
    async def test_commits(db):
        await asyncio.gather(*(put(db, f"item {number}") for number in range(20)))
        assert len(await names(db)) == 20

    async def test_some_fail(db):
        async def work(number):
            async with UnitOfWork(db) as unit_of_work:
                unit_of_work.session.add(Item(name=f"item {number}"))
                await unit_of_work.session.flush()
                await asyncio.sleep(0.001)
                if number % 2:
                    raise ValueError(number)

        ended = await asyncio.gather(*map(work, range(10)), return_exceptions=True)
        assert [type(it) for it in ended] == [type(None), ValueError] * 5
        assert await names(db) == [f"item {number}" for number in range(0, 10, 2)]

    async def test_readers_beside_writers(db):
        await asyncio.gather(*(put(db, f"{number}") for number in range(10)), *(names(db) for _ in range(10)))
        assert len(await names(db)) == 10
    """)
def test_tasks_at_once_have_a_unit_of_work_each(held):
    held()


@inner("""
    from contextlib import asynccontextmanager

    import warnings

    from fastapi import FastAPI

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Starlette's, of the httpx that is installed
        from fastapi.testclient import TestClient

    def make_app(url):
        @asynccontextmanager
        async def lifespan(app):
            async with Database(url, pool=PoolConfig(size=2)) as app.state.db:
                yield

        app = FastAPI(lifespan=lifespan)

        @app.post("/items/{name}")
        async def add(name: str):
            await put(app.state.db, name)

        @app.get("/items")
        async def listed() -> list[str]:
            return await names(app.state.db)

        return app

    @pytest.mark.parametrize("time", [1, 2])
    def test_synchronous(database_url, time):
        with TestClient(make_app(database_url)) as client:
            assert client.post("/items/a").status_code == 200
            assert client.get("/items").json() == ["a"]

    async def test_beside_a_database_of_the_test(database_url, db):
        await put(db, "of the test")
        with TestClient(make_app(database_url)) as client:
            client.post("/items/of_the_app")
            assert client.get("/items").json() == ["of the test", "of_the_app"]
        assert await names(db) == ["of the test", "of_the_app"]

    @pytest.mark.database
    def test_on_a_database(database_url):
        with TestClient(make_app(database_url)) as client:
            client.post("/items/a")
            assert client.get("/items").json() == ["a"]
    """)
def test_an_app_in_a_thread_and_loop_of_its_own_is_in_the_same_sandbox(held):
    held()


@inner("""
    async def test_by_address(db, driver):
        await put(db, "a")
        assert await driver.fetchval("SELECT name FROM items WHERE id > $1", 0) == "a"
        await driver.execute("INSERT INTO items (name) VALUES ($1)", "b")
        assert await names(db) == ["a", "b"]

    async def test_a_pool_and_a_cursor(db, database_url):
        await put(db, *(f"item {number}" for number in range(100)))
        async with asyncpg.create_pool(dsn(database_url), min_size=2, max_size=2) as pool:
            async with pool.acquire() as connection, connection.transaction():
                found = [row["name"] async for row in connection.cursor("SELECT name FROM items", prefetch=7)]
            assert len(found) == 100
            await asyncio.gather(*(pool.execute("DELETE FROM items WHERE name = $1", name) for name in found))
        assert await names(db) == []

    async def test_a_streamed_result(db):
        await put(db, *(f"item {number}" for number in range(100)))
        async with db.engine.connect() as connection:
            streamed = await connection.stream(select(Item.name).execution_options(yield_per=7))
            assert len([row async for row in streamed]) == 100

    async def test_one_that_is_never_closed_disturbs_nobody(db, database_url):
        connection = await connect(database_url)
        await connection.execute("BEGIN; INSERT INTO items (name) VALUES ('never committed')")
        connection.terminate()
        assert await names(db) == []
    """)
def test_a_connection_of_asyncpgs_own_is_in_the_same_sandbox(held):
    held()


@inner("""
    pytestmark = pytest.mark.database

    async def test_it(db, driver):
        heard = asyncio.Queue()
        await driver.add_listener("news", lambda *told: heard.put_nowait(told[3]))
        async with UnitOfWork(db) as unit_of_work:
            await unit_of_work.session.execute(text("SELECT pg_notify('news', 'committed')"))
        assert await asyncio.wait_for(heard.get(), 5) == "committed"
    """)
def test_a_database_delivers_notifications(held):
    held()


@inner("""
    async def test_it(db):
        await put(db, "earlier")

        async def sleep():
            async with UnitOfWork(db) as unit_of_work:
                unit_of_work.session.add(Item(name="undone"))
                await unit_of_work.session.execute(text("SELECT pg_sleep(60)"))

        task = asyncio.create_task(sleep())
        while not db.pool.leases():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)  # the statement is under way; nobody else could say so
        task.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await names(db) == ["earlier"]
        assert time.monotonic() - started < 1
        await put(db, "later")

    async def test_of_the_driver(db, driver):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            await driver.execute("SELECT pg_sleep(60)", timeout=0.1)
        assert await driver.fetchval("SELECT 1") == 1
        assert time.monotonic() - started < 1.1

    async def test_of_a_client_that_is_gone(database_url, db):
        connection = await connect(database_url)
        task = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        connection.terminate()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
            await task
        assert await names(db) == []
        assert time.monotonic() - started < 1
    """)
def test_a_cancelled_statement_gives_the_sandbox_back_within_a_second(held):
    held()


@inner("""
    import pyarrow

    from dal.copy import copy_in

    RECORDS = pyarrow.table({"id": [1, 2, 3], "name": ["a", "b", "c"]})

    async def test_committed(db):
        async with UnitOfWork(db) as unit_of_work:
            assert (await copy_in(unit_of_work.session, Item.__table__, RECORDS)).rows == 3
        assert await names(db) == ["a", "b", "c"]

    async def test_rolled_back(db):
        with pytest.raises(ZeroDivisionError):
            async with UnitOfWork(db) as unit_of_work:
                await copy_in(unit_of_work.session, Item.__table__, RECORDS)
                1 / 0
        assert await names(db) == []

    async def test_refused(db):
        await put(db, "b")
        with pytest.raises(UniqueViolation):
            async with UnitOfWork(db) as unit_of_work:
                await copy_in(unit_of_work.session, Item.__table__, RECORDS)
        assert await names(db) == ["b"]

    async def test_of_the_driver(db, driver):
        await driver.copy_records_to_table("items", records=[(1, "a"), (2, "b")], columns=["id", "name"])
        taken = []
        async def take(data):
            taken.append(data)
        assert await driver.copy_from_query("SELECT name FROM items ORDER BY id", output=take) == "COPY 2"
        assert b"".join(taken) == b"a\\nb\\n"
        assert await names(db) == ["a", "b"]
    """)
def test_copy_is_part_of_the_sandbox(held):
    held()


@inner("""
    async def test_then_a_transaction(db, driver):
        statement = await driver.prepare("SELECT name FROM items WHERE id > $1")
        async with driver.transaction():
            await driver.execute("INSERT INTO items (name) VALUES ('a')")
            assert await statement.fetchval(0) == "a"
        assert await names(db) == ["a"]
        assert await statement.fetchval(0) == "a"

    async def test_beside_others(db, driver):
        statement = await driver.prepare("SELECT name FROM items WHERE id > $1")
        await put(db, "a")
        assert await statement.fetchval(0) == "a"

    async def test_refused(db, driver):
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await driver.prepare("nonsense")
        assert await driver.fetchval("SELECT 1") == 1
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            async with driver.transaction():
                with pytest.raises(asyncpg.PostgresSyntaxError):
                    await driver.prepare("nonsense")
                await driver.fetchval("SELECT 1")
        await put(db, "a")
        assert await names(db) == ["a"]
    """)
def test_a_prepared_statement_of_the_driver_keeps_nobody_waiting(held):
    held()
