"""What a database is: frozen values, from a URL or from the environment.

Refuses: anything that connects.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import EllipsisType
from typing import Final

from sqlalchemy import URL, exc, make_url
from sqlalchemy.dialects.postgresql import asyncpg

from dal import tls
from dal.errors import ConfigError
from dal.pool_config import PoolConfig
from dal.sendable import is_sendable

ENVIRONMENT_URL: Final = "DAL_DATABASE_URL"

_DRIVERS: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
# libpq's name of a URL option, and the name asyncpg has for it; other options would reach asyncpg as unknown arguments.
_URL_OPTIONS: Final = {
    "host": "host",
    "port": "port",
    "ssl": tls.MODE,
    "sslmode": tls.MODE,
    **{name: name for name in tls.OPTIONS},
    "passfile": "passfile",
    "target_session_attrs": "target_session_attrs",
}
_NAME: Final = re.compile(r"\w{1,40}", re.ASCII)
_SHAPE: Final = "postgresql://user@host:5432/database"
# A server takes a startup message of 10,000 bytes (MAX_STARTUP_PACKET_LENGTH); a hundred are the driver's own words.
_STARTUP_BYTES: Final = 9_900
_MOST_PORT: Final = 65_535
_PORT_DIGITS: Final = 5
_DIALECT: Final = asyncpg.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """One PostgreSQL database: where it is, how its pool is cut, and what its sessions start with.

    The password is in `url` and shows in no repr; `password` is asked for one at each connect, for credentials that
    rotate (call `db.pool.expire()` when the old ones end). `server_settings` are run-time parameters set for every
    connection, such as `search_path` or `statement_timeout`. With `hide_parameters=False` errors and logs show bound
    values.
    """

    url: URL
    pool: PoolConfig = field(default_factory=PoolConfig)
    server_settings: Mapping[str, str] = field(default_factory=dict)
    application_name: str = "dal"
    hide_parameters: bool = True
    password: Callable[[], Awaitable[str]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", parse_url(self.url))  # the way in for a frozen dataclass's own set-up
        _refuse_no_text("application_name", self.application_name)
        for name, value in self.server_settings.items():
            if not name:
                raise ConfigError("server_settings has an empty name, which would end them: take it out.")
            _refuse_no_text("a name in server_settings", name)
            _refuse_no_text(f"server_settings[{name!r}]", value)
        self._refuse_too_much()

    def _refuse_too_much(self) -> None:
        told = [self.url.username, self.url.database, self.application_name, *chain(*self.server_settings.items())]
        taken = sum(len(each.encode()) + 1 for each in told if each)
        if taken > _STARTUP_BYTES:
            raise ConfigError(
                f"server_settings take {taken:,} bytes, with user, database and application_name; the server takes "
                f"{_STARTUP_BYTES:,} at the start of a connection. Shorten them, or set what is long in a transaction."
            )

    @classmethod
    def from_url(cls, url: str | URL, *, pool: PoolConfig | EllipsisType = ...) -> DatabaseConfig:
        """Take *url* as libpq would write it; `postgres://` and `postgresql://` mean asyncpg here."""
        parsed = parse_url(url)
        name = parsed.query.get("application_name", "dal")
        return cls(
            url=parsed.difference_update_query(["application_name"]),
            pool=PoolConfig() if pool is ... else pool,
            application_name=name if isinstance(name, str) else name[-1],
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> DatabaseConfig:
        """Read `DAL_DATABASE_URL`, and `DAL_POOL_*` as `PoolConfig.from_env` does."""
        url = environ.get(ENVIRONMENT_URL)
        if not url:
            raise ConfigError(f"{ENVIRONMENT_URL} is not set: give it a URL such as {_SHAPE}.")
        return cls.from_url(url, pool=PoolConfig.from_env(environ))

    @property
    def where(self) -> str:
        """Name user, host and port for a message; never the password."""
        options = self.url.query
        host = self.url.host or options.get("host") or "localhost"
        port = self.url.port or options.get("port") or 5432
        return f"{self.url.username or 'the login user'}@{host}:{port}/{self.url.database or ''}"


def parse_url(url: str | URL) -> URL:
    """Make *url* one that SQLAlchemy opens with asyncpg, or say in one line why it cannot be one.

    No message repeats the URL: it may hold a password.
    """
    parsed = _parsed(url)
    if parsed.drivername not in _DRIVERS:
        raise ConfigError(f"dal speaks to PostgreSQL through asyncpg, not {parsed.drivername!r}; expected {_SHAPE}.")
    options = {_option(name): value for name, value in parsed.query.items()}
    found = parsed.set(drivername="postgresql+asyncpg", query=options)
    _check_texts(found)
    _check_ports(found)
    return found.set(query=tls.checked(options))


def _check_texts(url: URL) -> None:
    parts = {"user": url.username, "password": url.password, "host": url.host, "database": url.database}
    for name, part in parts.items():
        _refuse_no_text(f"the URL's {name}", part)
    for name, values in url.normalized_query.items():
        for value in values:
            _refuse_no_text(f"the URL's option {name!r}", value)


def _refuse_no_text(what: str, text: object) -> None:
    """Refuse what the startup message cannot carry: a NUL ends a value there, and begins another setting."""
    if text is None:
        return
    if not isinstance(text, str):
        raise ConfigError(f"{what} is of type {type(text).__name__}; give a str.")
    if not is_sendable(text):
        raise ConfigError(f"{what} has a NUL in it, or is no UTF-8, which cannot be sent: take it out.")


def _check_ports(url: URL) -> None:
    ports = [*url.normalized_query.get("port", ()), *([] if url.port is None else [str(url.port)])]
    if not all(port.isdecimal() and len(port) <= _PORT_DIGITS and int(port) <= _MOST_PORT for port in ports):
        raise ConfigError(f"the URL's port is not a number up to {_MOST_PORT:,}; expected {_SHAPE}.")
    try:
        given = _DIALECT.create_connect_args(url)[1].get("port")  # type: ignore[no-untyped-call] # SQLAlchemy's
    except (exc.ArgumentError, ValueError) as error:
        raise ConfigError("the URL's hosts and ports do not go together: give a port for each host, or one.") from error
    if not all(0 <= each <= _MOST_PORT for each in (given if isinstance(given, list) else [given or 0])):
        raise ConfigError(f"the URL's port is not a number up to {_MOST_PORT:,}; expected {_SHAPE}.")


def _parsed(url: str | URL) -> URL:
    parsed = None
    with contextlib.suppress(exc.ArgumentError, ValueError):  # not the cause of ours: it may tell a part of the URL
        parsed = make_url(url)
    if parsed is None:
        raise ConfigError(f"this is not a database URL; expected {_SHAPE}.")
    if "@" in (parsed.host or ""):  # else what is after the first @ of a password would be shown as the host
        raise ConfigError(f"the URL has one @ too many: write that of a password as %40; expected {_SHAPE}.")
    return parsed


def _option(name: str) -> str:
    if name == "application_name":
        return name
    if not _NAME.fullmatch(name):  # of a password that has a ? in it, perhaps
        raise ConfigError(f"the URL has an option whose name of {len(name)} characters is none; expected {_SHAPE}.")
    if name not in _URL_OPTIONS:
        near = difflib.get_close_matches(name, _URL_OPTIONS, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"the URL has an option {name!r} that dal does not know.{meant}")
    return _URL_OPTIONS[name]
