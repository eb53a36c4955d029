"""What the embedded server is like, and what replaces it."""

import importlib.util
from collections.abc import Generator
from pathlib import Path

import pytest

from dal.errors import ConfigError
from dal.testing import EmbeddedServer, server_url
from tests.looking import connect


@pytest.fixture(scope="module")
def embedded() -> Generator[EmbeddedServer]:
    """Lend the tests' own embedded server."""
    with EmbeddedServer("tests") as server:
        yield server


@pytest.fixture
def below_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a cache folder that nobody can make, not even root."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("DAL_CACHE_DIR", str(tmp_path / "file" / "cache"))


async def _show(url, setting):
    connection = await connect(url)
    try:
        return await connection.fetchval(f"SHOW {setting}")
    finally:
        await connection.close()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_nothing_waits_for_the_disk(embedded, setting):
    assert await _show(embedded.url, setting) == "off"


async def test_it_listens_on_loopback_alone(embedded):
    assert await _show(embedded.url, "listen_addresses") == "127.0.0.1"


async def test_loopback_asks_for_the_password(embedded):
    assert await _show(embedded.tcp_url, "port") == str(embedded.port)


def test_the_password_is_random_and_shown_by_no_url(embedded):
    assert embedded.tcp_url.password not in str(embedded.tcp_url)


def test_the_programs_are_there(embedded):
    assert {"psql", "pg_dump"} <= {program.name for program in embedded.binaries.iterdir()}


def test_a_home_that_cannot_be_made_is_one_line(below_a_file):
    with pytest.raises(
        ConfigError, match=r"^no embedded server in .*: Not a directory\. Set DAL_CACHE_DIR elsewhere\.$"
    ):
        EmbeddedServer("tests").start()


def test_no_wheel_for_the_platform_says_what_to_do_instead(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pass a URL or use Docker: docker run .* postgres") as caught:
        EmbeddedServer("tests")
    assert "\n" not in str(caught.value)


def test_the_variable_replaces_the_server(below_a_file, monkeypatch):
    monkeypatch.setenv("DAL_DATABASE_URL", "postgres://app@db/shop")
    with server_url("tests") as url:
        assert url.render_as_string() == "postgresql+asyncpg://app@db/shop"


def test_a_url_replaces_the_variable(below_a_file, monkeypatch):
    monkeypatch.setenv("DAL_DATABASE_URL", "postgres://app@db/shop")
    with server_url("tests", "postgres://app@other/shop") as url:
        assert url.host == "other"


def test_leaving_twice_is_leaving_once():
    server = EmbeddedServer("tests")
    server.start()
    server.stop()
    server.stop()
