"""A password is in nothing that dal says of a connection that could not be had, nor where a server shows who is there.

Looked for with the variables of all frames, as error reporters show them.
"""

import pickle
import traceback
from pathlib import Path

import pytest
from sqlalchemy import URL

from dal import Database, DatabaseConfig, PoolConfig
from dal.config import parse_url
from dal.errors import CannotConnect, ConfigError, DALError, InvalidAuthorization, InvalidCatalogName
from dal.testing import EmbeddedServer
from dal.testing.databases import connect
from tests.command import Command

SECRET = "hunter2-is-not-it"
POOL = PoolConfig(size=1, connect_timeout_s=5)


def _told(error: BaseException) -> str:
    """Say all that can be known of *error*: with variables, attributes and the errors under it, and its pickle."""
    told = ["".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())]
    under, seen = [error], set()
    while under:
        each = under.pop()
        if id(each) not in seen:
            seen.add(id(each))
            told += [str(each), repr(each), repr(each.args), repr(vars(each)), repr(getattr(each, "__notes__", ""))]
            under += [one for one in (each.__cause__, each.__context__, getattr(each, "orig", None)) if one is not None]
    told.append(repr(pickle.dumps(error)))
    return "\n".join(told)


async def _failed(config: DatabaseConfig, kind: type[DALError]) -> str:
    """Fail to connect; the frames of this test know no password."""
    with pytest.raises(kind) as caught:
        async with Database(config):
            pass
    return _told(caught.value)


@pytest.fixture
def tcp_config():
    """Lend what leads to a server that asks for a password, without the password."""
    with EmbeddedServer("tests") as server:
        yield DatabaseConfig(url=server.tcp_url._replace(password=None), pool=POOL)


def _with_password(config: DatabaseConfig) -> DatabaseConfig:
    return DatabaseConfig(url=config.url.set(password=SECRET), pool=POOL)


async def test_a_password_that_is_refused_is_in_no_variable_of_the_traceback(tcp_config):
    told = await _failed(_with_password(tcp_config), InvalidAuthorization)
    assert "password authentication failed" in told
    assert SECRET not in told


async def test_the_password_of_a_server_that_is_down_is_in_no_variable(tcp_config):
    config = DatabaseConfig(url=tcp_config.url.set(password=SECRET, port=1), pool=POOL)
    assert SECRET not in await _failed(config, CannotConnect)


async def test_a_password_that_is_right_is_in_no_variable_either(direct_url):
    config = DatabaseConfig(url=direct_url.set(password=SECRET, database="nowhere"), pool=POOL)
    assert SECRET not in await _failed(config, InvalidCatalogName)


async def test_a_password_of_the_environment_is_in_no_variable(tcp_config, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", SECRET)
    told = await _failed(tcp_config, InvalidAuthorization)
    assert "password authentication failed" in told
    assert SECRET not in told


async def test_a_password_of_a_file_is_in_no_variable(tcp_config, tmp_path, monkeypatch):
    passwords = tmp_path / "pgpass"
    passwords.touch(mode=0o600)
    passwords.write_text(f"*:*:*:*:{SECRET}\n")
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    told = await _failed(tcp_config, InvalidAuthorization)
    assert "password authentication failed" in told
    assert SECRET not in told


async def test_a_password_that_is_asked_for_is_in_no_variable(tcp_config):
    async def ask() -> str:
        return SECRET

    told = await _failed(DatabaseConfig(url=tcp_config.url, pool=POOL, password=ask), InvalidAuthorization)
    assert SECRET not in told


async def test_what_a_function_for_the_password_raises_is_told_by_class_and_line(tcp_config):
    async def ask() -> str:
        secret = SECRET
        raise LookupError(f"no lease for {secret}")

    told = await _failed(DatabaseConfig(url=tcp_config.url, pool=POOL, password=ask), ConfigError)
    assert f"raised LookupError in {Path(__file__).name}, line " in told
    assert SECRET not in told


async def test_the_kit_shows_no_password_either(tcp_config):
    with pytest.raises(InvalidAuthorization) as caught:
        await connect(_with_password(tcp_config).url)
    assert SECRET not in _told(caught.value)


async def test_a_driver_that_breaks_in_itself_shows_no_password(tcp_config):
    async def ask() -> str:
        return Unusual(SECRET)

    told = await _failed(DatabaseConfig(url=tcp_config.url, pool=POOL, password=ask), CannotConnect)
    assert SECRET not in told


class Unusual(str):
    """A text that asyncpg does not take for one."""

    __slots__ = ()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://app:p@{SECRET}@db/shop",
        f"postgresql://app:{SECRET}@db:port/shop",
        f"postgresql://app:x#{SECRET}@db:port/shop",
        f"app:{SECRET}@db/shop",
    ],
)
def test_a_url_that_is_none_is_told_without_any_part_of_it(url):
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert SECRET not in f"{error} {error!r}"


async def test_a_server_shows_no_password_of_those_who_are_there(direct_url, outside):
    url = direct_url.set(password=SECRET)
    async with Database(url, pool=POOL) as db, db.checkout() as driver:
        rows = await outside.fetch("SELECT * FROM pg_stat_activity WHERE pid = $1", driver.get_server_pid())
    assert len(rows) == 1
    assert SECRET not in str(rows)


@pytest.mark.parametrize("command", [(), ("load",), ("dump",), ("demo",), ("db",), ("db", "upgrade"), ("db", "lint")])
def test_the_help_of_a_command_does_not_show_the_environment(database_url, tmp_path, command):
    done = Command(database_url.set(password=SECRET), tmp_path)(*command, "--help")
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("load", "nowhere.csv", "--table", "account"), ("db", "current"), ("dump", "account"), ("db", "locks")],
)
@pytest.mark.parametrize("url", ["postgresql://app:{}@127.0.0.1:1/shop", "postgresql://app:{}@db:x/shop"])
def test_a_command_that_fails_does_not_show_its_url(tmp_path, arguments, url):
    command = Command(URL.create("postgresql"), tmp_path)
    done = command(*arguments, DAL_DATABASE_URL=url.format(SECRET))
    assert done.returncode != 0
    assert SECRET not in done.stdout + done.stderr


def test_an_embedded_server_inherits_no_password(tmp_path, monkeypatch):
    monkeypatch.setenv("DAL_DATABASE_URL", f"postgresql://app:{SECRET}@db/shop")
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with EmbeddedServer(f"secrets-{tmp_path.name}", in_memory=True) as server:
        pid = (server._data / "postmaster.pid").read_text().splitlines()[0]
        process = Path("/proc", pid)
        said = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
    assert said
    assert SECRET.encode() not in said
