"""`dal db lint`: what the revisions would do to a live database, as lines or as one JSON list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dal.cli.db_options import INI, Ini

if TYPE_CHECKING:
    from dal.migrations.lint import Finding


def lint(
    since: Annotated[
        str | None,
        typer.Option(metavar="REVISION", help="Judge what comes after it; else all, or as alembic.ini says."),
    ] = None,
    ini: Ini = INI,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list, with the statements.")] = False,
    pg_version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Of the server; else the oldest that dal works with.")
    ] = None,
) -> None:
    """Judge the SQL of revisions, without a database: what locks, rewrites, breaks what still runs, or is not atomic.

    Exit codes:

    0  nothing is found

    1  something is

    2  the revisions cannot be judged
    """
    from dal.migrations.lint import lint as found_in

    found = found_in(ini, since=since, pg_version=pg_version)
    if as_json:
        typer.echo(json.dumps([asdict(each) | {"file": _shown(each.file)} for each in found], indent=2))
    else:
        _show(found)
    raise typer.Exit(1 if found else 0)


def _show(found: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    from dal.cli.printing import printable

    console = Console(highlight=False, soft_wrap=True)
    for each in found:
        where = Text(f"{printable(_shown(each.file))}:{each.line}: ", style="bold")
        console.print(where.append(each.rule, style="yellow").append(f": {printable(each.message)}", style="not bold"))
        if each.help:
            console.print(Text(f"    {printable(each.help)}", style="dim"))


def _shown(file: Path) -> str:
    """Name *file* as one would type it here."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
