"""How many connections a pool may have is compared with what the server, the role and the database allow."""

import logging

import pytest

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import ConfigError
from dal.pool.limits import too_many
from tests.looking import connect


def test_pools_that_fit_are_not_spoken_of():
    assert too_many(PoolConfig(size=10, processes=9), {"server": 97}) is None


def test_pools_that_do_not_fit_are_told_the_numbers():
    warning = too_many(PoolConfig(size=10, max_overflow=2, processes=9), {"server": 97, "role": 200})
    assert warning.startswith("9 x 12 connections cannot fit: the server allows 97.")


def test_the_least_limit_counts():
    assert "the role allows 5" in too_many(PoolConfig(size=10), {"server": 97, "role": 5})


async def test_a_server_that_allows_too_few_is_warned_of_at_open(database_url, caplog):
    with caplog.at_level(logging.WARNING, "dal.pool"):
        async with Database(database_url, pool=PoolConfig(size=2, processes=10_000)):
            pass
    assert "10000 x 2 connections cannot fit: the server allows" in caplog.text


async def test_a_server_that_allows_enough_is_not_warned_of(database_url, caplog):
    with caplog.at_level(logging.WARNING, "dal.pool"):
        async with Database(database_url, pool=PoolConfig(size=2)):
            pass
    assert caplog.text == ""


@pytest.mark.parametrize(("processes", "max_connections", "size"), [(1, 100, 97), (8, 100, 12), (97, 100, 1)])
def test_a_servers_connections_are_shared_out(processes, max_connections, size):
    config = PoolConfig.for_processes(processes, max_connections=max_connections)
    assert (config.size, config.processes) == (size, processes)


@pytest.mark.parametrize(("processes", "max_connections"), [(98, 100), (0, 100), (1, 3)])
def test_less_than_one_each_is_refused(processes, max_connections):
    with pytest.raises(ConfigError, match=f"{max_connections} connections, less 3 reserved, cannot be shared by"):
        PoolConfig.for_processes(processes, max_connections=max_connections)


async def test_without_a_pool_there_is_one_connection(database_url):
    async with Database(database_url, pool=None) as db, db.checkout():
        assert (db.pool.status().size, db.pool.status().checked_out) == (1, 1)


async def test_a_password_is_asked_for_at_each_connect(database_url):
    asked = []

    async def password():
        asked.append("once more")
        return database_url.password or "any"

    config = DatabaseConfig(url=database_url, pool=PoolConfig(size=3), password=password)
    async with Database(config):
        assert len(asked) == 3


async def test_a_password_that_cannot_be_had_is_told_without_its_words(database_url):
    async def password():
        raise KeyError("vault-token")

    with pytest.raises(
        ConfigError,
        match=r"^the function that is asked for the password raised KeyError in test_pool_limits\.py, line \d+\.$",
    ):
        async with Database(DatabaseConfig(url=database_url, pool=PoolConfig(size=1), password=password)):
            pass


def test_a_password_that_is_asked_for_shows_in_no_repr(database_url):
    async def password():
        return "secret"

    assert "password" not in repr(DatabaseConfig(url=database_url, password=password))


async def test_a_role_with_few_connections_is_warned_of(role_url, outside, caplog):
    await outside.execute(f"ALTER ROLE {role_url.username} CONNECTION LIMIT 3")
    driver = await connect(role_url)
    await driver.close()
    with caplog.at_level(logging.WARNING, "dal.pool"):
        async with Database(role_url, pool=PoolConfig(size=3, max_overflow=1)):
            pass
    assert "1 x 4 connections cannot fit: the role allows 3" in caplog.text
