"""A command that fails: one line on the standard error, and an exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer

from dal.cli.interrupting import INTERRUPTED, Interruption
from dal.cli.printing import printable
from dal.cli.usage import Usage
from dal.errors import ConfigError, DALError

FAILED = 1

T = TypeVar("T")


def carried_out(work: Coroutine[Any, Any, T], *, interrupted: str) -> T:
    """Run *work*; raises `typer.Exit` after it has said what failed, and `Usage` and `ConfigError` as they are."""
    with Interruption() as interruption:
        try:
            return interruption.run(work)
        except (Exception, asyncio.CancelledError) as error:
            if interruption.is_asked:
                raise typer.Exit(fail(interrupted, INTERRUPTED)) from None
            if isinstance(error, Usage | ConfigError) or (said := words(error)) is None:
                raise
            raise typer.Exit(fail(said, FAILED)) from None


def words(error: BaseException) -> str | None:
    """Say in a line what failed; None is what nobody expects, and wants its traceback."""
    if isinstance(error, DALError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {(error.strerror or type(error).__name__).lower()}."
    return None


def fail(message: str, code: int) -> int:
    """Say what failed, on the standard error; gives *code*."""
    typer.echo(f"dal: {printable(message)}", err=True)
    return code
