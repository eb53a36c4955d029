"""The pytest plugin, registered by the package: options, fixtures, and what is reported of a test that fails."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import pytest
from sqlalchemy import URL

from dal.errors import DALError
from dal.pool import Lease
from dal.telemetry import StatementLog
from dal.testing.asynchronous import place
from dal.testing.fixtures import (
    assert_round_trips,
    clock,
    connection,
    database_url,
    db,
    direct_url,
    empty_db,
    faulty_network,
    kill_backends,
    make,
    own_kit,
    own_server,
    pg_kit,
    pg_migrations,
    pg_schema,
    pg_server,
    restart_server,
    save,
    session,
    statement_log,
    unit_of_work,
    unit_of_work_class,
)
from dal.testing.leaks import leases_out
from dal.testing.options import LOG, add_markers, add_options, server_of, share_server
from dal.testing.server import server_url

__all__ = [
    "assert_round_trips",
    "clock",
    "connection",
    "database_url",
    "db",
    "direct_url",
    "empty_db",
    "faulty_network",
    "kill_backends",
    "make",
    "own_kit",
    "own_server",
    "pg_kit",
    "pg_migrations",
    "pg_schema",
    "pg_server",
    "restart_server",
    "save",
    "session",
    "statement_log",
    "unit_of_work",
    "unit_of_work_class",
]

_KEPT: Final = pytest.StashKey[list[Lease]]()
_CONTAINER: Final = pytest.StashKey[URL]()
_FAILED: Final = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Add the markers."""
    config.stash[_KEPT] = []
    add_markers(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start a container for all workers before the first of them."""

    def start() -> URL:
        if _CONTAINER not in node.config.stash:
            container = server_url("tests", server_of(node.config))
            node.config.stash[_CONTAINER] = container.__enter__()
            node.config.add_cleanup(lambda: container.__exit__(None, None, None))
        url: URL = node.config.stash[_CONTAINER]
        return url

    try:
        share_server(node, start)
    except DALError as error:
        raise pytest.UsageError(f"dal: {error}") from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
    """Run our fixtures in the test's loop, and let those of a wider scope keep connections."""
    take_back = place(fixturedef, request)
    try:
        value = yield
    finally:
        take_back()
    if fixturedef.scope != "function":
        request.config.stash[_KEPT] = leases_out()
    return value


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Keep a log of every test's statements."""
    item.config.stash[_KEPT] = leases_out()
    with StatementLog(everywhere=True) as log:
        item.stash[LOG] = log
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show the statements of a test that failed."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    if report.failed and len(item.stash[LOG]):
        report.sections.append((f"statements sent until {report.when} ended", str(item.stash[LOG])))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that did not give back its connections; one that failed anyway has its reasons."""
    done = yield
    if item.stash[_FAILED]:
        return done
    leaked = [lease for lease in leases_out() if lease not in item.config.stash[_KEPT]]
    if leaked:
        lines = "; ".join(map(str, leaked))
        pytest.fail(f"the test left {len(leaked)} connections out: {lines}", pytrace=False)
    return done
