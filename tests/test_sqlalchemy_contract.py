"""What dal overrides and calls of SQLAlchemy's and asyncpg's private parts is there, as it counts on it.

A failure here says that a release has changed what `dal.pool.queue_pool`, `dal.pool.driver`, `dal.pool.connection`,
`dal.pool.driver_transaction`, `dal.loading.strategies`, `dal.projection.compiling`, `dal.hooks`, `dal.session` or
`dal.testing.sandbox.transaction` stand on.
"""

import asyncio
import inspect

import asyncpg
import pytest
from asyncpg.transaction import Transaction
from sqlalchemy import AsyncAdaptedQueuePool, Engine, Select, bindparam, event, select, text
from sqlalchemy import inspect as sqlalchemy_inspect
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection, dialect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import RelationshipProperty, Session, configure_mappers, lazyload
from sqlalchemy.orm.strategies import _LazyLoader, _LoadLazyAttribute, _SelectInLoader
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from dal.demo.models import Order
from dal.pool import LeasedQueuePool
from dal.pool.driver import Watched
from dal.projection import IS_UNDERSTOOD
from tests.looking import connect, until, until_running
from tests.models import Account, Document, Folder

# A function, and how its arguments begin.
ARGUMENTS = [
    (AsyncAdaptedQueuePool._do_get, ["self"]),
    (AsyncAdaptedQueuePool._do_return_conn, ["self", "record"]),
    (AsyncAdaptedQueuePool._close_connection, ["self", "connection", "terminate"]),
    (AsyncAdaptedQueuePool._invalidate, ["self", "connection", "exception", "_checkin"]),
    (AsyncAdaptedQueuePool._create_connection, ["self"]),
    (AsyncAdaptedQueuePool.recreate, ["self"]),
    (AsyncAdaptedQueuePool.dispose, ["self"]),
    (asyncpg.Connection.transaction, ["self", "isolation", "readonly", "deferrable"]),
    (asyncpg.Connection._check_open, ["self"]),
    (asyncpg.Connection._prepare, ["self", "query", "name", "timeout", "use_cache"]),
    (asyncpg.Connection._copy_in, ["self", "copy_stmt", "source", "timeout"]),
    (asyncpg.Connection._copy_out, ["self", "copy_stmt", "output", "timeout"]),
    (asyncpg.Connection._cancel, ["self", "waiter", "cancel_waiter"]),
    (asyncpg.Connection._process_log_message, ["self", "fields", "last_query"]),
    (Transaction.__init__, ["self", "connection", "isolation", "readonly", "deferrable"]),
    (Transaction.__aexit__, ["self", "extype", "ex", "tb"]),
    (SQLCompiler.construct_params, ["self", "params", "extracted_parameters", "escape_names"]),
    (SQLCompiler._process_parameters_for_postcompile, ["self", "parameters"]),
    (TypeEngine._cached_result_processor, ["self", "dialect", "coltype"]),
    (Select._generate_cache_key, ["self"]),
    (AsyncAdapt_asyncpg_connection._start_transaction, ["self"]),
    (_LazyLoader.__init__, ["self", "parent", "strategy_key"]),
    (_LazyLoader._load_for_state, ["self", "state", "passive"]),
    (
        _SelectInLoader._load_for_path,
        ["self", "context", "path", "states", "load_only", "effective_entity", "loadopt", "recursion_depth"],
    ),
    (_LoadLazyAttribute.__call__, ["self", "state", "passive"]),
    (Session._autoflush, ["self"]),
    (RelationshipProperty._get_strategy, ["self", "key"]),
    (RelationshipProperty.strategy_for, ["kw"]),
]


@pytest.mark.parametrize(("function", "beginning"), ARGUMENTS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_the_arguments_are_those_that_dal_counts_on(function, beginning):
    assert list(inspect.signature(function).parameters)[: len(beginning)] == beginning


# What the pool overrides, what it calls, and what it hands on to the pool that follows it.
OVERRIDDEN = ["_close_connection", "_do_get", "_do_return_conn", "_invalidate", "dispose", "recreate"]
KEPT = ["_create_connection", "_creator", "_dialect", "_orig_logging_name", "_reset_on_return", "dispatch", "echo"]


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_whatever_the_pool_overrides_is_there(name):
    assert callable(getattr(AsyncAdaptedQueuePool, name))
    assert name in vars(LeasedQueuePool)


@pytest.mark.parametrize("name", KEPT)
def test_whatever_the_pool_takes_from_sqlalchemys_is_there(name):
    assert hasattr(create_async_engine("postgresql+asyncpg://").pool, name)
    assert name not in vars(LeasedQueuePool)


def test_the_lazy_loader_is_where_it_is_taken_from():
    configure_mappers()
    for prop in (Order.customer.property, Order.lines.property):
        assert isinstance(prop._strategies[("lazy", "select"),], _LazyLoader)
    assert Order.lines.impl.callable_.__self__ is Order.lines.property._strategies[("lazy", "select"),]
    assert Order.customer.property._strategies[("lazy", "select"),].use_get is True


def test_the_size_of_a_chunk_is_the_loaders_own():
    assert _SelectInLoader._set_chunksize(None) == _SelectInLoader._chunksize


async def test_entities_of_one_statement_have_the_number_of_its_run(db):
    async with db.begin() as session:
        session.add_all([Account(id=number, owner=str(number), balance=0) for number in (1, 2)])
        await session.flush()
        session.expunge_all()
        first = await session.scalars(select(Account).where(Account.id == 1))
        both = await session.scalars(select(Account))
        runs = [sqlalchemy_inspect(each).runid for each in (*first, *both)]
    assert runs[0] == runs[1] != runs[2]


async def test_an_entity_keeps_the_option_that_limits_its_relationship_until_it_is_expired(db):
    async with db.begin() as session:
        session.add(Folder(id=1, name="", documents=[]))
        await session.flush()
        session.expunge_all()
        option = lazyload(Folder.documents.and_(Document.title > ""))
        folder = await session.get_one(Folder, 1, options=[option])
        state = sqlalchemy_inspect(folder)
        assert state.callables["documents"].loadopt._extra_criteria
        session.expire(folder)
        assert "documents" not in state.callables


def test_a_class_has_a_path_for_options():
    assert Folder.documents.property in sqlalchemy_inspect(Folder)._path_registry[Folder.documents.property].path


async def test_asyncpg_keeps_its_transport_where_the_sandbox_takes_it_over(database_url):
    driver = await connect(database_url)
    assert isinstance(driver._transport, asyncio.Transport)
    await driver.close()


async def test_asyncpg_asks_what_it_keeps_of_a_connection_whether_it_may_be_used(database_url):
    """By a number that its own pool counts: it is where `dal.pool.connection` looks for the loop."""
    driver = await connect(database_url)
    statement = await driver.prepare("SELECT 1")
    driver._pool_release_ctr += 1
    with pytest.raises(asyncpg.InterfaceError, match="released back"):
        await statement.fetch()
    driver._pool_release_ctr -= 1
    await driver.close()


async def test_asyncpg_says_nothing_on_a_connection_that_it_has_aborted(database_url):
    driver = await connect(database_url)
    transport = driver._transport
    driver._aborted, driver._protocol = True, None
    driver.terminate()
    await driver.close()
    assert driver.is_closed()
    assert not transport.is_closing()
    transport.abort()


async def test_asyncpg_reads_by_a_protocol_that_another_may_stand_before(database_url):
    driver = await connect(database_url)
    assert driver._transport.get_protocol() is driver._protocol
    await driver.close()


async def test_asyncpg_tells_where_it_is_connected_and_whether_by_tls(database_url, faulty_network):
    driver = await connect(faulty_network.url)
    assert driver._addr == (faulty_network.url.host, faulty_network.url.port)
    assert driver._transport.get_extra_info("peername") == driver._addr
    assert driver._transport.get_extra_info("ssl_object") is None
    await driver.close()


@pytest.fixture
async def adapter(db):
    """Lend SQLAlchemy's adapter over a connection of asyncpg's."""
    async with db.engine.connect() as connection:
        yield (await connection.get_raw_connection()).dbapi_connection


async def test_asyncpg_tells_whether_a_cancellation_is_answered(adapter, outside):
    driver = adapter.driver_connection
    sleeping = asyncio.create_task(driver.execute("SELECT pg_sleep(30)"))
    await until_running(outside, "pg_sleep")
    assert driver._protocol._is_cancelling() is False
    sleeping.cancel()
    await asyncio.wait([sleeping])
    assert driver._protocol._is_cancelling() is True
    await driver.fetchrow(";")
    assert driver._protocol._is_cancelling() is False


async def test_asyncpg_tells_whether_a_prepared_statement_runs(adapter, outside):
    driver = adapter.driver_connection
    assert not driver._stmt_exclusive_section._acquired
    sleeping = asyncio.create_task(driver.fetch("SELECT pg_sleep(0.1)"))
    await until_running(outside, "pg_sleep")
    assert driver._stmt_exclusive_section._acquired
    await sleeping


async def test_asyncpg_forgets_a_transaction_that_it_is_made_to_forget(adapter):
    driver = adapter.driver_connection
    assert driver._top_xact is None
    await driver.transaction().start()
    assert driver._top_xact is not None
    await driver.execute("ROLLBACK")
    driver._top_xact = None
    await driver.transaction().start()
    assert driver.is_in_transaction()
    await driver.execute("ROLLBACK")  # which a savepoint would have survived
    assert not driver.is_in_transaction()
    driver._top_xact = None


async def test_asyncpgs_transactions_spell_a_rollback_as_the_pool_expects(adapter):
    said = []
    with adapter.driver_connection.query_logger(lambda record: said.append(record.query)):
        transaction = adapter.driver_connection.transaction()
        await transaction.start()
        await transaction.rollback()
        await until(lambda: len(said) == 2)  # asyncpg tells of it a turn of the loop later
    assert said == ["BEGIN;", "ROLLBACK;"]


async def test_sqlalchemys_adapter_is_locked_while_a_statement_runs(db):
    async with db.engine.connect() as connection:
        adapter = (await connection.get_raw_connection()).dbapi_connection
        assert adapter._execute_mutex.locked() is False
        sleeping = asyncio.create_task(connection.execute(text("SELECT pg_sleep(0.1)")))
        await until(adapter._execute_mutex.locked)
        await sleeping
        assert adapter._execute_mutex.locked() is False


async def test_the_last_statement_is_found_in_sqlalchemys_cache(db):
    async with db.engine.connect() as connection:
        watched = Watched((await connection.get_raw_connection()).dbapi_connection)
        mark = watched.mark()
        assert watched.statement_since(mark) is None
        for number in (1, 2, 1):
            await connection.execute(text(f"SELECT {number}"))
            assert watched.statement_since(mark) == f"SELECT {number}"
        mark = watched.mark()
        await watched.driver.fetch("SELECT 3")
        assert (watched.statement_since(mark), watched.mark() == mark) == (None, False)


def test_projections_do_not_fall_back_to_sqlalchemys_own_way():
    assert IS_UNDERSTOOD


def test_a_statement_compiled_for_a_key_takes_the_values_of_another_with_the_same_key():
    def asked(key, statuses):
        return select(Order).where(Order.id > key, Order.status.in_(statuses)).limit(key)

    first, second = asked(1, ["a"]), asked(2, ["b", "c"])
    key, other = first._generate_cache_key(), second._generate_cache_key()
    assert key.key == other.key
    compiled = first.compile(dialect=dialect(), cache_key=key)
    values = compiled.construct_params(
        extracted_parameters=other.bindparams, escape_names=False, _no_postcompile=True, _collected_params=other.params
    )
    state = compiled._process_parameters_for_postcompile(values)
    assert [state.parameters[name] for name in state.positiontup] == [2, 2, "b", "c"]


def test_result_columns_have_the_types_in_the_order_of_the_select():
    compiled = select(Order.status, Order.id, bindparam("x", 1)).compile(dialect=dialect())
    assert [type(column.type) for column in compiled._result_columns] == [
        type(Order.status.type), type(Order.id.type), type(bindparam("x", 1).type)
    ]  # fmt: skip


async def test_an_engine_knows_that_it_has_had_listeners(db, monkeypatch):
    monkeypatch.setattr(Engine, "_has_events", False)  # whatever other tests have listened to
    engine = db.engine.sync_engine
    assert engine._has_events is False

    def heard(*_):
        pass

    event.listen(engine, "before_execute", heard)
    assert engine._has_events is True
    event.remove(engine, "before_execute", heard)


async def test_a_listener_on_the_class_is_known_to_every_engine(db, monkeypatch):
    monkeypatch.setattr(Engine, "_has_events", False)

    def heard(*_):
        pass

    event.listen(Engine, "after_cursor_execute", heard)
    assert db.engine.sync_engine._has_events is True
    event.remove(Engine, "after_cursor_execute", heard)


async def test_the_cursor_of_a_streamed_result_is_found_and_its_portal_closed(shop_db):
    async with shop_db.begin() as session:
        result = await session.stream(select(Order), execution_options={"yield_per": 10})
        cursor = result._real_result.raw.cursor._cursor
        assert isinstance(cursor, asyncpg.cursor.Cursor)
        assert cursor._portal_name
        await cursor._close_portal(None)
        assert cursor._portal_name is None
