"""How many tests there are, and the moments they end at, noted by every process that runs some."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import pytest

_ENDS: Final = pytest.StashKey[list[float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tests", type=int, default=1, help="how many tests are made of one")
    parser.addoption("--ends", type=Path, help="the folder to write the moments into, a file per process")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ENDS] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("number", range(metafunc.config.getoption("--tests")))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note when the test is over, whatever plugins do around it; not called in a process that only hands out tests."""
    done = yield
    item.config.stash[_ENDS].append(perf_counter())
    return done


def pytest_sessionfinish(session: pytest.Session) -> None:
    folder, ends = session.config.getoption("--ends"), session.config.stash[_ENDS]
    if folder and ends:
        (folder / f"{os.getpid()}.json").write_text(json.dumps(ends))
