"""What a database is: frozen values, from a URL or from the environment.

Refuses: anything that connects.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Final

from sqlalchemy import URL, exc, make_url

from dal.errors import ConfigError
from dal.pool_config import PoolConfig

ENVIRONMENT_URL: Final = "DAL_DATABASE_URL"

_DRIVERS: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
# libpq's name of a URL option, and the name asyncpg has for it; other options would reach asyncpg as unknown arguments.
_URL_OPTIONS: Final = {
    "host": "host",
    "port": "port",
    "ssl": "ssl",
    "sslmode": "ssl",
    "passfile": "passfile",
    "target_session_attrs": "target_session_attrs",
}
_SHAPE: Final = "postgresql://user@host:5432/database"


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
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise ConfigError(f"this is not a database URL; expected {_SHAPE}.") from error
    if parsed.drivername not in _DRIVERS:
        raise ConfigError(f"dal speaks to PostgreSQL through asyncpg, not {parsed.drivername!r}; expected {_SHAPE}.")
    options = {_option(name): value for name, value in parsed.query.items()}
    ports = options.get("port", "0")
    if not all(port.isdecimal() for port in ([ports] if isinstance(ports, str) else ports)):
        raise ConfigError(f"the URL's port is not a number; expected {_SHAPE}.")
    return parsed.set(drivername="postgresql+asyncpg", query=options)


def _option(name: str) -> str:
    if name == "application_name":
        return name
    if name not in _URL_OPTIONS:
        near = difflib.get_close_matches(name, _URL_OPTIONS, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"the URL has an option {name!r} that dal does not know.{meant}")
    return _URL_OPTIONS[name]
