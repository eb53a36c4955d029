"""`dal db check`: whether models, migrations and the database are the same, as a table or as JSON.

Refuses: mending anything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dal.cli.database_url import database_of
from dal.cli.db_options import INI, AsJson, Ini, Url

if TYPE_CHECKING:
    from dal.migrations.drift import Drift

DRIFT = 1


def check(
    *,
    url: Url = None,
    ini: Ini = INI,
    scratch: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An empty database to run the revisions in; else one is made and dropped."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Objects to leave alone, such as public.audit_*.")
    ] = None,
    schema: Annotated[list[str] | None, typer.Option(help="A schema to look at; else those of the models.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the models, what the migrations make, and the database, which is only read.

    Exit code 1 if they are not the same; revisions that are pending are no difference.
    """
    drift = _checked(url, ini, scratch, (ignore or [], schema))
    if as_json:
        typer.echo(json.dumps(drift.as_dict()))
    else:
        _show(drift)
    raise typer.Exit(0 if drift.is_none else DRIFT)


def _checked(url: Url, ini: Ini, scratch: str | None, about: tuple[list[str], list[str] | None]) -> Drift:
    from dal.cli.failing import carried_out
    from dal.config import parse_url
    from dal.database import Database
    from dal.migrations.drift import check as compare

    config, lent = database_of(url), None if scratch is None else parse_url(scratch)
    ignore, schemas = about

    async def run() -> Drift:
        async with Database(config) as db:
            return await compare(db, ini=ini, scratch=lent, ignore=ignore, schemas=schemas)

    return carried_out(run(), interrupted="interrupted: nothing was found out.")


def _show(drift: Drift) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dal.cli.printing import printable

    console = Console(highlight=False)
    console.print(Text(printable(drift.summary)))
    if drift.is_none:
        return
    shown = Table("differs", "kind", "what", show_lines=True)
    for each in drift.differences:
        shown.add_row(each.differs, each.kind, Text("\n".join(map(printable, each.lines()))))
    console.print(shown)
