"""Whose checkouts go before those who wait: a task's, for as long as it says so."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_first: Final[ContextVar[bool]] = ContextVar("dal_first_in_line", default=False)
is_first_in_line: Final = _first.get


@contextmanager
def first_in_line() -> Generator[None]:
    """Let this task's checkouts inside go before those who wait, and never shed them: for health checks."""
    token = _first.set(True)
    try:
        yield
    finally:
        _first.reset(token)
