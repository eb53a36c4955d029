"""The pytest plugin, registered by the package: which PostgreSQL the tests run on."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Final

import pytest
from sqlalchemy import URL

from dal.errors import DALError
from dal.testing.server import server_url

SERVER_VARIABLE: Final = "DAL_TEST_POSTGRES"
_HELP: Final = "where PostgreSQL comes from: embedded (the default), container, or the URL of a server"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--postgres`, and `dal_postgres` for the ini file."""
    parser.getgroup("dal").addoption("--postgres", metavar="embedded|container|URL", help=_HELP)
    parser.addini("dal_postgres", _HELP)


@pytest.fixture(scope="session")
def pg_server(pytestconfig: pytest.Config) -> Generator[URL]:
    """Lend a server: that of `--postgres`, else `DAL_TEST_POSTGRES`, else `dal_postgres`, else an embedded one.

    Its role may create databases. A server that the kit started itself does without durability, and is gone after the
    session. Where there is none to be had, the session ends with one line that says what to do.
    """
    where = (
        pytestconfig.getoption("--postgres") or os.environ.get(SERVER_VARIABLE) or pytestconfig.getini("dal_postgres")
    )
    server = server_url("tests", where or None)
    try:
        url = server.__enter__()
    except DALError as error:
        pytest.exit(f"dal: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    yield url
    server.__exit__(None, None, None)
