"""A database that cannot be opened says why in one line, at the start, and leaves no connection."""

import asyncio
import dataclasses
import socket
from collections.abc import Generator

import pytest
from sqlalchemy import URL

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import (
    CannotConnect,
    ConfigError,
    DALError,
    InsufficientResources,
    InvalidAuthorization,
    InvalidCatalogName,
)
from dal.testing import EmbeddedServer
from tests.looking import until, until_none_left

POOL = PoolConfig(size=2, connect_timeout_s=0.3)


async def _refusal(url, kind):
    with pytest.raises(kind) as caught:
        config = DatabaseConfig.from_url(url, pool=POOL)
        async with Database(dataclasses.replace(config, application_name="refused")):
            pass
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def tcp_url() -> Generator[URL]:
    """Lend an address that asks for a password."""
    with EmbeddedServer("tests") as server:
        yield server.tcp_url


@pytest.fixture
def closed_port() -> Generator[int]:
    """Lend a port that nobody listens on, and that nobody else can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_wrong_password_says_what_to_check(tcp_url):
    message = await _refusal(tcp_url.set(password="wrong"), InvalidAuthorization)
    assert message.startswith(f"cannot connect to postgres@127.0.0.1:{tcp_url.port}/postgres: password authentication")
    assert message.endswith("Check user and password in the URL, and pg_hba.conf on the server.")


async def test_a_wrong_password_is_shown_to_nobody(tcp_url):
    assert "hunter2" not in await _refusal(tcp_url.set(password="hunter2"), InvalidAuthorization)


async def test_a_missing_password_is_told_from_a_server_that_is_down(tcp_url):
    await _refusal(f"postgresql://postgres@127.0.0.1:{tcp_url.port}/postgres", InvalidAuthorization)


async def test_the_right_password_opens(tcp_url):
    async with Database(tcp_url, pool=POOL) as db:
        assert db.pool.leases() == []


async def test_a_missing_database_says_to_create_it(database_url):
    message = await _refusal(database_url.set(database="nowhere"), InvalidCatalogName)
    assert 'database "nowhere" does not exist' in message
    assert message.endswith("Create the database, or correct the name in the URL.")


async def test_a_server_that_is_down_is_named_with_host_and_port(closed_port):
    message = await _refusal(f"postgresql://app@127.0.0.1:{closed_port}/shop", CannotConnect)
    assert message == (
        f"cannot connect to app@127.0.0.1:{closed_port}/shop: connection refused. "
        "Is the server running, and do host and port point at it?"
    )


async def test_a_socket_that_is_not_there_is_a_server_that_is_down(tmp_path):
    message = await _refusal(f"postgresql://app@/shop?host={tmp_path}", CannotConnect)
    assert "no such file or directory" in message


async def test_a_server_that_does_not_answer_is_left_in_time(database_url, faulty_network):
    async with asyncio.timeout(10):
        faulty_network.hold()
        assert "no answer in time" in await _refusal(database_url, CannotConnect)


async def test_a_server_that_is_too_old_is_named_with_both_versions(database_url, monkeypatch):
    monkeypatch.setattr("dal.connecting.OLDEST_SERVER", 99)
    message = await _refusal(database_url, ConfigError)
    assert message.startswith(f"the server at {DatabaseConfig.from_url(database_url).where} is PostgreSQL ")
    assert message.endswith("dal needs 99 or newer.")


async def test_a_server_that_is_too_old_keeps_no_connection(database_url, monkeypatch, outside):
    monkeypatch.setattr("dal.connecting.OLDEST_SERVER", 99)
    await _refusal(database_url, ConfigError)
    await until_none_left(outside, "refused")


async def test_one_connection_refused_closes_the_others(role_url, outside):
    await outside.execute(f"ALTER ROLE {role_url.username} CONNECTION LIMIT 1")
    await _refusal(role_url, InsufficientResources)
    await until_none_left(outside, "refused")


@pytest.mark.parametrize("url", ["postgresql://app@/shop?port=many", "postgresql://app@db/shop?sslmode=maybe"])
async def test_a_wrong_option_of_the_url_is_one_line(url):
    await _refusal(url, DALError)


async def test_a_cancelled_open_keeps_no_connection(database_url, outside, faulty_network):
    faulty_network.hold()
    db = Database(DatabaseConfig(url=database_url, pool=PoolConfig(size=2), application_name="refused"))
    opening = asyncio.create_task(db.open())
    await until(lambda: faulty_network.held)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    faulty_network.heal()
    await until_none_left(outside, "refused")
