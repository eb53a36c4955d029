"""What a transaction is asked to be reaches the server in BEGIN's own message, and ends with the transaction."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dal import Database, PoolConfig
from dal.errors import ConfigError, DatabaseError, LockNotAvailable, QueryCanceled
from dal.testing import Kit
from dal.transaction.options import opening, server_timeout_s

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NAMES = st.text(st.characters(exclude_characters="\0.", exclude_categories=["Cs"]), min_size=1, max_size=15)

MODES = [
    ({"isolation": "serializable"}, "transaction_isolation", "serializable"),
    ({"isolation": "repeatable read"}, "transaction_isolation", "repeatable read"),
    ({"isolation": "read committed"}, "transaction_isolation", "read committed"),
    ({"read_only": True}, "transaction_read_only", "on"),
    ({"isolation": "serializable", "read_only": True, "deferrable": True}, "transaction_deferrable", "on"),
    ({"statement_timeout_s": 1.5}, "statement_timeout", "1500ms"),
    ({"lock_timeout_s": 2}, "lock_timeout", "2s"),
    ({"timeout_s": 0.5}, "statement_timeout", "450ms"),
    ({"timeout_s": 10}, "statement_timeout", "9900ms"),
    ({"timeout_s": 10, "statement_timeout_s": 3}, "statement_timeout", "3s"),
    ({"timeout_s": 2, "statement_timeout_s": 3}, "statement_timeout", "1900ms"),
    ({"settings": {"app.tenant": "42"}}, "app.tenant", "42"),
    ({"settings": {"search_path": "pg_catalog, public"}}, "search_path", "pg_catalog, public"),
    ({"verify_commit": True, "settings": {"a.b": "c"}}, "a.b", "c"),
]


async def _setting(db, name, **options):
    async with db.begin(**options) as session:
        return await session.scalar(text("SELECT current_setting(:name, true)"), {"name": name})


@pytest.fixture
async def one(database_url):
    """Lend a database of one connection, so that the next user gets the same."""
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        yield db


@pytest.mark.parametrize(("options", "name", "value"), MODES, ids=str)
async def test_an_option_holds_in_its_transaction_and_not_in_the_next(one, options, name, value):
    before = await _setting(one, name)
    assert await _setting(one, name, **options) == value
    assert await _setting(one, name) in {before, ""}  # "" is what PostgreSQL leaves of a setting of somebody's own


async def test_a_role_holds_in_its_transaction_and_not_in_the_next(one, outside):
    await outside.execute('DROP ROLE IF EXISTS "dal ""odd"" role"; CREATE ROLE "dal ""odd"" role"')
    assert await _setting(one, "role", role='dal "odd" role') == 'dal "odd" role'
    assert await _setting(one, "role") == "none"
    await outside.execute('DROP ROLE "dal ""odd"" role"')


async def test_all_options_at_once_are_one_message(pg_kit: Kit, read_only_url):
    options = {
        "isolation": "serializable",
        "read_only": True,
        "timeout_s": 5,
        "lock_timeout_s": 1,
        "settings": {"app.tenant": "42", "app.user": "7"},
    }
    with pg_kit.network(read_only_url) as network:
        async with Database(network.url, pool=PoolConfig(size=1)) as db:
            for _ in range(2):
                before = network.round_trips
                assert await _setting(db, "app.user", **options) == "7"
            assert network.round_trips - before == 3  # BEGIN, SELECT, COMMIT


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(value=WORDS, name=NAMES)
async def test_a_value_of_any_letters_is_a_value_and_no_sql(one, value, name):
    try:
        seen = await _setting(one, f"app.{name}", settings={f"app.{name}": value})
    except DatabaseError as error:
        seen = error.sqlstate
    assert seen in {value, "42602"}  # invalid_name: PostgreSQL is choosy about the names of settings


@pytest.mark.parametrize("standard_conforming", ["on", "off"])
async def test_a_value_stays_what_it_is_whatever_backslashes_mean(one, standard_conforming):
    async with one.checkout() as driver:
        await driver.execute(f"SET standard_conforming_strings = {standard_conforming}")
    value = "\\'; DROP TABLE region; --\\"
    assert await _setting(one, "app.x", settings={"app.x": value}) == value


async def test_a_transaction_that_sends_nothing_leaves_its_settings_to_nobody(one):
    async with one.begin(settings={"app.tenant": "42"}) as session:
        await session.connection()
    assert await _setting(one, "app.tenant") in {None, ""}


async def test_a_cancelled_transaction_leaves_its_settings_to_nobody(one):
    async def begin():
        async with one.begin(settings={"app.tenant": "42"}) as session:
            await session.execute(text("SELECT pg_sleep(0)"))

    for ticks in range(1, 40):
        task = asyncio.create_task(begin())
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with one.checkout() as driver, driver.transaction():
            assert await driver.fetchval("SELECT current_setting('app.tenant', true)") in {None, ""}


async def test_a_second_transaction_of_one_session_has_the_options_too(one):
    async with one.begin(settings={"app.tenant": "42"}) as session:
        await session.execute(text("SELECT 1"))
        await session.rollback()
        assert await session.scalar(text("SELECT current_setting('app.tenant', true)")) == "42"


async def test_a_savepoint_sends_no_options_again(one):
    async with one.begin(settings={"app.tenant": "42"}) as session:
        await session.execute(text("SET LOCAL app.tenant = '43'"))
        async with session.begin_nested():
            assert await session.scalar(text("SELECT current_setting('app.tenant', true)")) == "43"


@pytest.mark.parametrize(
    ("options", "sqlstate"),
    [({"settings": {"no_such_setting": "1"}}, "42704"), ({"role": "nobody at all"}, "22023")],
)
async def test_an_option_that_the_server_refuses_is_an_error_and_leaves_no_transaction(one, outside, options, sqlstate):
    for _ in range(3):
        with pytest.raises(DatabaseError) as caught:
            await _setting(one, "role", **options)
        assert caught.value.sqlstate == sqlstate
    assert await _setting(one, "role") == "none"
    assert one.pool.status().totals.opened == 1


async def test_a_statement_past_its_timeout_is_cancelled_and_keeps_its_connection(one):
    with pytest.raises(QueryCanceled):
        async with one.begin(statement_timeout_s=0.05) as session:
            await session.execute(text("SELECT pg_sleep(30)"))
    assert await _setting(one, "statement_timeout") != "50ms"
    assert one.pool.status().totals.opened == 1


async def test_a_lock_past_its_timeout_is_not_available(one, outside):
    async with outside.transaction():
        await outside.execute("LOCK TABLE region")
        with pytest.raises(LockNotAvailable):
            async with one.begin(lock_timeout_s=0.05) as session:
                await session.execute(text("SELECT 1 FROM region"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"isolation": "snapshot"},
            "isolation is 'snapshot'; it can be read committed, repeatable read, serializable.",
        ),
        ({"timeout_s": 0}, "timeout_s is 0; it must be more than 0 seconds."),
        ({"lock_timeout_s": -1}, "lock_timeout_s is -1; it must be more than 0 seconds."),
        ({"statement_timeout_s": "5"}, "statement_timeout_s is '5'; it must be more than 0 seconds."),
        ({"deferrable": True}, "deferrable means something only with isolation='serializable' and read_only=True."),
        ({"settings": {"app.tenant": 42}}, "settings['app.tenant'] is of type int; give a str."),
        ({"settings": {"app.": "1"}}, "'' is no name of a setting."),
        (
            {"settings": {"app.a": "\0"}},
            "settings['app.a'] has a NUL in it, or is no UTF-8, which PostgreSQL cannot store.",
        ),
        ({"role": ""}, "'' is no name of a role."),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(options, words):
    with pytest.raises(ConfigError) as caught:
        opening(options)
    assert str(caught.value) == words


def test_an_option_that_is_none_is_named():
    with pytest.raises(TypeError, match=r"^a transaction has no option timeout\.$"):
        opening({"timeout": 5})


@given(st.floats(min_value=0.002, max_value=1e6))
def test_the_server_gives_up_a_little_before_the_client(timeout_s):
    server_s = server_timeout_s({"timeout_s": timeout_s})
    assert timeout_s - 0.1 <= server_s < timeout_s


def test_a_transaction_without_options_is_a_plain_begin():
    assert opening({}) == ""
