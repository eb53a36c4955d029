"""What may be chosen: by options of the command line, the ini file, the environment and markers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from sqlalchemy import URL

from dal.telemetry import StatementLog
from dal.testing.server import CONTAINER

SERVER_VARIABLE: Final = "DAL_TEST_POSTGRES"
LOG: Final = pytest.StashKey[StatementLog]()

_SERVER_HELP: Final = (
    "where PostgreSQL comes from: embedded (the default), container, container:NAME (kept for the next run), "
    "or the URL of a server"
)
_WORKERS_SERVER: Final = "dal_server"
_ISOLATIONS: Final = {
    "sandbox": "sandbox: run the test in one transaction that is rolled back; a commit inside is a savepoint",
    "database": "database: run the test on a database of its own, a clone of the template",
}


def add_options(parser: pytest.Parser) -> None:
    """Add the options of the command line and of the ini file."""
    parser.getgroup("dal").addoption("--postgres", metavar="embedded|container[:NAME]|URL", help=_SERVER_HELP)
    parser.addini("dal_postgres", _SERVER_HELP)
    parser.addini(
        "dal_isolation", "what a test without marker gets: sandbox (the default) or database", default="sandbox"
    )
    parser.addini("dal_statement_timeout_s", "seconds after which a statement is cancelled", default="30")


def add_markers(config: pytest.Config) -> None:
    """Make the markers known, and refuse options that are none."""
    for marker in _ISOLATIONS.values():
        config.addinivalue_line("markers", marker)
    if config.getini("dal_isolation") not in _ISOLATIONS:
        raise pytest.UsageError(f"dal_isolation is {config.getini('dal_isolation')!r}; it is sandbox or database.")
    statement_timeout_s(config)


def server_of(config: pytest.Config) -> str | None:
    """Say where the server comes from, None for what `DAL_DATABASE_URL` says, or an embedded one."""
    given: str | None = getattr(config, "workerinput", {}).get(_WORKERS_SERVER)
    where: str | None = given or config.getoption("--postgres")
    return where or os.environ.get(SERVER_VARIABLE) or config.getini("dal_postgres") or None


def share_server(node: Any, start: Callable[[], URL]) -> None:
    """Give the workers of pytest-xdist one container: each would start its own."""
    if server_of(node.config) == CONTAINER:
        node.workerinput[_WORKERS_SERVER] = start().render_as_string(hide_password=False)


def isolation_of(item: Any) -> str:
    """Say what the test is marked with, the closest marker first."""
    marked = [marker.name for marker in item.iter_markers() if marker.name in _ISOLATIONS]
    return str(marked[0] if marked else item.config.getini("dal_isolation"))


def statement_timeout_s(config: pytest.Config) -> float:
    """Say after how many seconds a statement is cancelled."""
    given = config.getini("dal_statement_timeout_s")
    try:
        return float(given)
    except ValueError:
        raise pytest.UsageError(f"dal_statement_timeout_s is {given!r}; it is a number of seconds.") from None
