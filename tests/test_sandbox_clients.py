"""The sandbox and clients that end badly, say nonsense, wait, or ask for more than a statement."""

import asyncio
import socket
import struct

import asyncpg
import psutil
import pytest
from sqlalchemy import text

from dal.demo.repositories import Regions
from dal.testing import wire
from tests.looking import connect

pytestmark = pytest.mark.sandbox
TLS = struct.pack("!II", 8, 80877103)
ROW = b"1\ta\tb\n"


class Raw:
    """A client that says what a driver would not."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def say(self, *messages):
        self.writer.write(b"".join(messages))

    async def hear(self, until=wire.READY):
        """Give all that is answered up to the message of kind *until*."""
        frames, heard = wire.Frames(), []
        async with asyncio.timeout(5):
            while not heard or heard[-1][:1] != until:
                data = await self.reader.read(65536)
                if not data:
                    break
                heard += frames.feed(data)
        return b"".join(heard)


def path_of(url):
    return f"{url.query['host']}/.s.PGSQL.{url.query['port']}"


@pytest.fixture
async def raw(database_url):
    """Lend what logs a raw client in, with the options of a startup message."""
    writers = []

    async def raw(**options):
        reader, writer = await asyncio.open_unix_connection(path_of(database_url))
        writers.append(writer)
        given = {"user": database_url.username or "postgres", "database": database_url.database, **options}
        body = struct.pack("!I", 3 << 16) + b"".join(f"{name}\0{value}\0".encode() for name, value in given.items())
        writer.write(struct.pack("!I", len(body) + 5) + body + b"\0")
        client = Raw(reader, writer)
        await client.hear()
        return client

    yield raw
    for writer in writers:
        writer.transport.abort()


@pytest.fixture
async def two(database_url):
    """Lend two connections of asyncpg's own."""
    drivers = [await connect(database_url) for _ in range(2)]
    yield drivers
    for driver in drivers:
        await driver.close()


@pytest.mark.timeout(9)
@pytest.mark.parametrize("said", [b"", b"\0\0", b"\0\0\0\2aa", b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", TLS])
def test_a_client_that_does_not_log_in_holds_up_no_end(pg_kit, said):
    with socket.socket(socket.AF_UNIX) as client, pg_kit.sandbox() as url:
        client.connect(path_of(url))
        client.sendall(said)


@pytest.mark.parametrize("garbage", [wire.frame(b"z", b"junk"), b"Q\0\0\0\1"])
async def test_garbage_ends_its_client_and_no_other(raw, kit_db, garbage):
    client = await raw()
    client.say(garbage)
    assert b"08P01" in await client.hear()
    assert await Regions(kit_db).count() == 0


async def test_the_rest_of_a_failed_copy_is_not_in_the_copy_of_another(raw, two):
    failing, (other, _) = await raw(), two
    failing.say(wire.query("COPY region FROM STDIN"))
    await failing.hear(wire.COPY_IN)
    failing.say(wire.frame(b"d", b"bad\n"))
    await failing.hear()
    rest_said, begun = asyncio.Event(), asyncio.Event()

    async def rows():
        yield ROW
        begun.set()
        await rest_said.wait()

    copying = asyncio.create_task(other.copy_to_table("region", source=rows()))
    await begun.wait()
    failing.say(wire.frame(b"d", b"77\ta\tb\n"), wire.frame(b"c", b""), wire.SYNC_MESSAGE)
    rest_said.set()
    await copying
    assert [row["id"] for row in await other.fetch("SELECT id FROM region")] == [1]


async def test_a_copy_whose_rows_come_from_another_connection_is_refused(two):
    copying, other = two

    async def rows():
        yield ROW
        await other.fetchval("SELECT 1")

    with pytest.raises(asyncpg.LockNotAvailableError, match="sandbox has one transaction"):
        await copying.copy_to_table("region", source=rows())


async def test_what_waits_for_its_turn_can_be_cancelled(two):
    holding, waiting = two
    await holding.execute("BEGIN")
    with pytest.raises((TimeoutError, asyncpg.QueryCanceledError)):
        async with asyncio.timeout(1):
            await waiting.fetchval("SELECT 1", timeout=0.1)
    await holding.execute("COMMIT")
    assert await waiting.fetchval("SELECT 1") == 1


async def test_a_result_that_nobody_reads_takes_little_memory(raw):
    client = await raw()
    client.writer.transport.pause_reading()
    before = psutil.Process().memory_info().rss
    client.say(wire.query("SELECT repeat('x', 1000000) FROM generate_series(1, 300)"))
    most = 0
    for _ in range(20):
        await asyncio.sleep(0.02)  # that something does not happen shows in no state
        most = max(most, psutil.Process().memory_info().rss - before)
    assert most < 100 << 20


async def test_a_function_called_by_number_is_a_question(raw):
    client = await raw()
    client.say(wire.frame(wire.CALL, struct.pack("!IHHH", 0, 0, 0, 0)))
    await client.hear()
    client.say(wire.query("SELECT 5"))
    assert b"SELECT 1" in await client.hear()


async def test_statements_cancelled_at_any_moment_disturb_no_other(two, kit_db):
    cancelled, other = two
    for number in range(100):
        with pytest.raises((TimeoutError, asyncpg.QueryCanceledError)):
            await cancelled.execute("SELECT pg_sleep(1)", timeout=number / 10_000)
        assert await other.fetchval("SELECT 1") == 1
    assert await Regions(kit_db).count() == 0


@pytest.mark.parametrize("said", ["/* why */ {}", "-- why\n{}", " {} -- why", "{} /* to */ ;"])
async def test_a_comment_hides_no_begin_and_no_rollback(two, said):
    driver, _ = two
    await driver.execute(said.format("BEGIN"))
    await driver.execute("INSERT INTO region VALUES (1, 'a', 'b')")
    assert driver.is_in_transaction()
    await driver.execute(said.format("ROLLBACK"))
    assert await driver.fetchval("SELECT count(*) FROM region") == 0


async def test_a_script_may_begin_and_commit(kit_db):
    quoted = "DO $$ BEGIN PERFORM 1; END $$"
    await kit_db.execute_script(
        f"BEGIN; INSERT INTO region VALUES (1, 'a;commit', 'b'); COMMIT; {quoted}; "
        "BEGIN; INSERT INTO region VALUES (2, 'a', 'b'); ROLLBACK; INSERT INTO region VALUES (3, 'a', 'b')"
    )
    assert [each.id for each in await Regions(kit_db).list()] == [1, 3]


async def test_what_a_script_committed_stays_when_the_rest_fails(kit_db):
    with pytest.raises(Exception, match="division by zero"):
        await kit_db.execute_script("BEGIN; INSERT INTO region VALUES (1, 'a', 'b'); COMMIT; SELECT 1 / 0")
    assert await Regions(kit_db).count() == 1


async def test_a_script_that_fails_after_its_begin_leaves_a_failed_transaction(two):
    driver, _ = two
    with pytest.raises(asyncpg.DivisionByZeroError):
        await driver.execute("BEGIN; SELECT 1 / 0; COMMIT")
    assert driver.is_in_transaction()
    assert await driver.execute("ROLLBACK") == "ROLLBACK"


@pytest.mark.parametrize(("ends", "rows"), [("COMMIT", 1), ("ROLLBACK", 0)])
async def test_a_transaction_may_be_ended_by_a_prepared_statement(kit_db, ends, rows):
    async with kit_db.engine.connect() as connection:
        await connection.execute(text("INSERT INTO region VALUES (1, 'a', 'b')"))
        await connection.exec_driver_sql(ends)
    assert await Regions(kit_db).count() == rows


def pipelined(*texts):
    """Say statements as psycopg's pipeline mode does, with one Sync at the end."""
    series = b"".join(
        wire.parse(b"", each) + wire.frame(b"B", b"\0" * 8) + wire.frame(b"E", b"\0" * 5) for each in texts
    )
    return series + wire.SYNC_MESSAGE


async def test_a_pipeline_may_begin_and_commit(raw, kit_db):
    client = await raw()
    client.say(pipelined("BEGIN", "INSERT INTO region VALUES (1, 'a', 'b')", "COMMIT"))
    assert wire.completed(b"COMMIT") + wire.ready(wire.IDLE) in await client.hear()
    client.say(pipelined("BEGIN", "INSERT INTO region VALUES (2, 'a', 'b')"), pipelined("ROLLBACK"))
    assert wire.ready(wire.IN_TRANSACTION) in await client.hear()
    assert await Regions(kit_db).count() == 1


async def test_and_chain_begins_the_next_transaction(two):
    driver, _ = two
    await driver.execute("BEGIN; INSERT INTO region VALUES (1, 'a', 'b')")
    await driver.execute("COMMIT AND CHAIN")
    assert driver.is_in_transaction()
    await driver.execute("INSERT INTO region VALUES (2, 'a', 'b')")
    await driver.execute("ROLLBACK")
    assert await driver.fetchval("SELECT count(*) FROM region") == 1


async def test_a_cursor_is_closed_by_commit(two):
    driver, _ = two
    await driver.execute("INSERT INTO region VALUES (1, 'a', 'b'), (2, 'c', 'd')")
    for _ in range(2):
        async with driver.transaction():
            await driver.execute("DECLARE here CURSOR FOR SELECT * FROM region")
            await (await driver.cursor("SELECT * FROM region")).fetch(1)
    await driver.execute("ALTER TABLE region ADD more int")


async def test_a_table_on_commit_drop_is_dropped(two):
    driver, _ = two
    for _ in range(2):
        async with driver.transaction():
            await driver.execute("CREATE TEMP TABLE staging ON COMMIT DROP AS SELECT * FROM region")
            await driver.execute("INSERT INTO staging VALUES (1, 'a', 'b')")


async def test_a_setting_that_the_server_does_not_know_is_refused_to_its_client_only(two, database_url):
    driver = await connect(database_url, server_settings={"nonsense": "1"})
    with pytest.raises(asyncpg.UndefinedObjectError, match="nonsense"):
        await driver.fetchval("SELECT 1")
    await driver.close()
    assert await two[0].fetchval("SELECT 1") == 1


async def test_reset_all_goes_back_to_what_the_client_connected_with(database_url):
    driver = await connect(database_url, server_settings={"work_mem": "5MB"})
    await driver.execute("SET work_mem = '6MB'")
    assert await driver.fetchval("SHOW work_mem") == "6MB"
    await driver.reset()
    assert await driver.fetchval("SHOW work_mem") == "5MB"
    await driver.close()


@pytest.mark.parametrize("said", ["SET ROLE pg_read_all_data", "SELECT set_config('role', 'pg_read_all_data', false)"])
async def test_what_a_connection_sets_holds_on_it_and_on_no_other(two, said):
    one, other = two
    await one.execute(said)
    for _ in range(2):
        assert await one.fetchval("SELECT current_user") == "pg_read_all_data"
        assert await other.fetchval("SELECT current_user") != "pg_read_all_data"


async def test_what_is_set_in_a_transaction_goes_with_its_rollback(two):
    one, other = two
    await one.execute("BEGIN; SET work_mem = '7MB'")
    await one.execute("ROLLBACK")
    assert await other.fetchval("SHOW work_mem") == await one.fetchval("SHOW work_mem") != "7MB"


async def test_options_of_the_command_line_are_settings(raw):
    client = await raw(options=r"-c work_mem=9MB --statement-timeout=1234 -cdatestyle=iso,\ dmy")
    for name, value in {"work_mem": b"9MB", "statement_timeout": b"1234ms", "datestyle": b"ISO, DMY"}.items():
        client.say(wire.query(f"SHOW {name}"))
        assert value in await client.hear()


async def test_a_client_that_logs_in_as_another_role_is_that_role(raw):
    client = await raw(user="pg_monitor")
    client.say(wire.query("SELECT session_user"))
    assert b"pg_monitor" in await client.hear()


async def test_another_database_is_not_there(database_url):
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await connect(database_url.set(database="other"))


@pytest.mark.parametrize("what", ["DEALLOCATE ALL", "DISCARD ALL"])
async def test_what_one_client_gives_up_another_keeps(two, what):
    one, other = two
    prepared = await one.prepare("SELECT 3", name="mine")
    assert await other.execute(what) == what
    assert await prepared.fetchval() == 3
    assert await (await other.prepare("SELECT 4", name="mine")).fetchval() == 4
