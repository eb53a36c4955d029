"""How one connection is opened: what the driver is told, and what is left of it where none could be had.

The driver gets a password by a function, which no repr shows, and frames of a connect that failed forget their
variables: a report that shows them shows no password. Refuses: knowing the pool.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from dal.config import DatabaseConfig
from dal.errors import ConfigError, from_connect
from dal.tls import driver_options

# The oldest major version that the PostgreSQL project still mends.
OLDEST_SERVER: Final = 14
_REFUSALS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, ValueError)

Password = Callable[[], Awaitable[str]]


async def open_driver(where: str, options: Mapping[str, Any]) -> Any:
    """Open a connection to *where*, of the option `connection_class` or else asyncpg's own; raises `dal.errors`."""
    try:
        return await asyncpg.connect(**driver_options(options))
    except _REFUSALS as error:
        forget_variables(error)
        raise from_connect(error, where) from error
    except BaseException as error:
        forget_variables(error)
        raise


def password_of(config: DatabaseConfig) -> dict[str, Password]:
    """Give the driver's option for the password of *config*; none if the environment, or a file, is to say it."""
    if config.password is not None:
        return {"password": _asking(config.password)}
    if config.url.password is None:
        return {}
    return {"password": _giving(str(config.url.password))}


def refuse_old_server(version: asyncpg.types.ServerVersion, where: str) -> None:
    """Raise `ConfigError` for a server older than `OLDEST_SERVER`."""
    if version.major < OLDEST_SERVER:
        raise ConfigError(
            f"the server at {where} is PostgreSQL {version.major}.{version.minor}; dal needs {OLDEST_SERVER} or newer."
        )


def forget_variables(error: BaseException | None) -> None:
    """Clear the variables of all frames that *error*, and what is under it, went through; lines stay."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _giving(password: str) -> Password:
    async def give() -> str:
        return password

    return give


def _asking(password: Password) -> Password:
    async def ask() -> str:
        try:
            return await password()
        except Exception as error:
            # Not the cause: its text may be the secret itself, or where it is kept.
            told = f"{type(error).__name__}{_place_of(error)}"
        raise ConfigError(f"the function that is asked for the password raised {told}.")

    return ask


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
