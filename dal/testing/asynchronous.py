"""Asynchronous fixtures that run where the test runs: under pytest-asyncio in the loop of the test, or under anyio.

pytest-asyncio runs a fixture in a loop of the fixture's scope, which need not be the test's, and takes only marked ones
in its strict mode; anyio takes unmarked ones. A connection of asyncpg belongs to one loop.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Final

import pytest

_ours: Final[set[Callable[..., Any]]] = set()


def async_fixture(function: Callable[..., Any]) -> Any:
    """Make *function*, an async generator, a fixture for one test."""
    _ours.add(function)
    return _marked(function)


def place(fixturedef: Any, request: Any) -> Callable[[], None]:
    """Put a fixture of ours into the loop of the test that asks; gives what takes that back after its set-up."""
    function = fixturedef.func
    if function not in _ours:
        return lambda: None
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    if "anyio_backend" not in request.fixturenames:
        _marked(copy, loop_scope=_loop_scope(request.node))
    fixturedef.func = copy
    return lambda: setattr(fixturedef, "func", function)


def _marked(function: Callable[..., Any], **options: Any) -> Any:
    try:
        import pytest_asyncio
    except ModuleNotFoundError:
        return pytest.fixture(function)
    return pytest_asyncio.fixture(function, **options)


def _loop_scope(item: Any) -> str | None:
    marker = item.get_closest_marker("asyncio")
    scope: str | None = marker.kwargs.get("loop_scope") if marker else None
    return scope or item.config.getini("asyncio_default_test_loop_scope") or None
