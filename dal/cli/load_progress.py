"""How far `dal load` has come, on a terminal: by bytes of the files or by rows, with speed, time left and rejects."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dal.copy import OnProgress
from dal.copy import Progress as Loaded


@contextmanager
def shown(what: str) -> Generator[OnProgress]:
    """Show what is told on the standard error, if that is a terminal, until the end of the block."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    disable = not console.is_terminal
    with Progress(
        *columns, console=console, transient=True, disable=disable, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        bar, started = bars.add_task(what, total=None, told=""), time.monotonic()

        def show(loaded: Loaded) -> None:
            done, total = _done(loaded)
            told = _told(loaded, time.monotonic() - started)
            bars.update(bar, completed=done, total=total, told=told)

        yield show


def _done(loaded: Loaded) -> tuple[int, int | None]:
    """Give the part of the whole that was read; all read is not yet all done: the server goes on to check."""
    if loaded.total_rows is not None:
        return min(loaded.rows + loaded.rejected, loaded.total_rows), loaded.total_rows
    if loaded.total_bytes is not None:
        return min(loaded.read_bytes or 0, loaded.total_bytes), loaded.total_bytes
    return loaded.rows, None


def _told(loaded: Loaded, seconds: float) -> str:
    done, total = _done(loaded)
    told = [f"{loaded.rows:,} rows", f"{loaded.rows / seconds:,.0f} rows/s" if seconds else ""]
    if total is not None and loaded.total_rows is None:
        told.insert(0, f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB")
    if loaded.rejected:
        told.append(f"{loaded.rejected:,} rejected")
    return ", ".join(each for each in told if each)
