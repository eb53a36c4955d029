"""What `dal load` did: one table, or one JSON object, on the standard output.

Texts of records and of the server are shown with their control characters spelt out.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text
from sqlalchemy import Table

from dal.cli.printing import printable
from dal.copy import CopyReport, Rejected

# So many rejects are in the table; the JSON object has all that the report holds.
_SHOWN: Final = 10


def show(report: CopyReport, table: Table, *, dry_run: bool) -> None:
    """Print the table."""
    console = Console(highlight=False)
    title = f"{table.fullname}, rolled back: this would be loaded" if dry_run else table.fullname
    console.print(Text(printable(title)))
    shown = Shown(show_header=False)
    shown.add_column("what", no_wrap=True)
    shown.add_column("how much", overflow="fold")
    for what, number in _figures(report).items():
        shown.add_row(what, number)
    if report.rejected:
        shown.add_section()
    for each in report.rejects[:_SHOWN]:
        shown.add_row(f"record {each.record:,}", Text(_reason(each)))
    if report.rejected > _SHOWN:
        shown.add_row("", f"and {report.rejected - _SHOWN:,} more")
    console.print(shown)


def show_json(report: CopyReport, table: Table, *, dry_run: bool) -> None:
    """Print the JSON object."""
    typer.echo(json.dumps(_object(report, table, dry_run=dry_run)))


def _figures(report: CopyReport) -> dict[str, str]:
    return {
        "loaded": f"{report.rows:,}",
        "updated": f"{report.updated:,}",
        "skipped": f"{report.skipped:,}",
        "rejected": f"{report.rejected:,}",
        "seconds": f"{report.seconds:,.2f}",
        "rows/s": f"{report.rows_per_s:,.0f}",
        "bytes": f"{report.sent_bytes:,}",
        "statements": f"{report.statements:,}",
        **({} if report.peak_bytes is None else {"peak memory": f"{report.peak_bytes / 2**20:,.0f} MiB"}),
        **{f"{name} made again": f"{seconds:,.2f} s" for name, seconds in report.rebuilt.items()},
    }


def _reason(each: Rejected) -> str:
    column = "" if each.column is None else f"column {each.column!r}: "
    constraint = "" if each.constraint is None else f" (constraint {each.constraint!r})"
    return printable(f"{column}{each.reason}{constraint}")


def _object(report: CopyReport, table: Table, *, dry_run: bool) -> dict[str, Any]:
    return {
        "table": table.fullname,
        "dry_run": dry_run,
        "loaded": report.rows,
        "updated": report.updated,
        "skipped": report.skipped,
        "rejected": report.rejected,
        "seconds": round(report.seconds, 3),
        "rows_per_s": round(report.rows_per_s),
        "sent_bytes": report.sent_bytes,
        "statements": report.statements,
        "peak_bytes": report.peak_bytes,
        "phases": {name: round(seconds, 3) for name, seconds in report.phases.items()},
        "rebuilt": {name: round(seconds, 3) for name, seconds in report.rebuilt.items()},
        "rejects": [asdict(each) for each in report.rejects],
    }
