"""The kit's own parts, where no test of a plugin's run comes: what is refused, swept and taken ahead."""

import pytest

from dal.errors import ConfigError
from dal.testing import Kit, Schema
from tests.looking import connect


async def _databases(url):
    driver = await connect(url)
    try:
        return {name for (name,) in await driver.fetch("SELECT datname FROM pg_database")}
    finally:
        await driver.close()


@pytest.fixture
def kit(pg_server):
    """Lend a kit of the test's own."""
    kit = Kit(pg_server, Schema())
    yield kit
    kit.close()


def test_a_server_that_is_too_old_is_one_line(kit, monkeypatch):
    monkeypatch.setattr("dal.connecting.OLDEST_SERVER", 99)
    with (
        pytest.raises(ConfigError, match=r"^the server at .* is PostgreSQL .*; dal needs 99 or newer\.$"),
        kit.database(),
    ):
        pass


async def test_a_closed_kit_leaves_only_its_template(pg_server):
    kit = Kit(pg_server, Schema())
    with kit.database() as url, kit.sandbox():
        assert url.database in await _databases(pg_server)
    prefix = url.database.rpartition("_")[0]
    kit.close()
    assert not {name for name in await _databases(pg_server) if name.startswith(prefix)}


def test_every_loan_is_another_database(kit):
    with kit.database() as one, kit.database() as other:
        assert one.database != other.database


def test_a_sandbox_whose_server_connection_died_is_followed_by_a_whole_one(kit):
    with kit.sandbox() as url:
        kit.execute(
            kit.server, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{url.database}'"
        )
    with kit.sandbox() as url:
        kit.execute(url, "CREATE TABLE it (id int)")
    with kit.sandbox() as url:
        kit.execute(url, "CREATE TABLE it (id int)")


def test_the_key_of_a_schema_follows_the_server_and_the_seed():
    async def seed(_db): ...

    keys = {Schema().key("15"), Schema().key("16"), Schema(seed=seed).key("15")}
    assert len(keys) == 3
