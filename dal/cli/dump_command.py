"""`dal dump`: the rows of a table into a file, or to the standard output."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dal.cli.usage import Usage

if TYPE_CHECKING:
    from dal.copy import CopyOutReport, Form


def dump(  # noqa: PLR0913, PLR0917 # a command's options, which typer gives by name
    file: Annotated[str, typer.Argument(help='Where to: .csv, .tsv, .ndjson or .parquet; "-" is the standard output.')],
    table: Annotated[str, typer.Option(help="The table, as it is called: neither quoted nor folded.")],
    schema: Annotated[str | None, typer.Option(help="Its schema, if not on the search path.")] = None,
    url: Annotated[
        str | None, typer.Option(envvar="DAL_DATABASE_URL", help="postgresql://user:password@host/database")
    ] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B,C", help="These columns; else all.")] = None,
    order_by: Annotated[str | None, typer.Option(metavar="A,B,C", help="In this order; else in none.")] = None,
    format: Annotated[  # noqa: A002 # the option's name
        Literal["csv", "tsv", "ndjson", "parquet"] | None, typer.Option(help="Else by the file's name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object of what was written.")] = False,
) -> None:
    """Write the rows of a table by COPY. A file is there whole at the end, or as it was before.

    Exit codes:

    0  all is written

    1  it failed

    2  the command line cannot be carried out, and nothing was begun

    130  interrupted: as after 1
    """
    from dal.cli.failing import carried_out

    if file == "-" and as_json:
        raise Usage("the standard output has the rows: leave out --json, or give a file.")
    form = _form_of(file, format)
    target = sys.stdout.buffer if file == "-" else file
    work = _dump(url, (table, schema), (columns, order_by), target, form)
    report = carried_out(work, interrupted="interrupted: nothing was kept.")
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    elif file != "-":
        typer.echo(
            f"{report.rows:,} rows, {report.bytes:,} bytes, {report.seconds:.2f} s, {report.rows_per_s:,.0f} rows/s"
        )


async def _dump(
    url: str | None,
    named: tuple[str, str | None],
    listed: tuple[str | None, str | None],
    target: Any,
    form: Form | None,
) -> CopyOutReport:
    from sqlalchemy import select

    from dal.cli.database_url import database_of
    from dal.cli.table import reflected, refuse_unknown
    from dal.copy import copy_out
    from dal.database import Database

    columns, order_by = ([] if each is None else each.split(",") for each in listed)
    async with Database(database_of(url)) as db:
        table = await reflected(db, *named)
        refuse_unknown(table, "--columns", columns)
        refuse_unknown(table, "--order-by", order_by)
        chosen = [table.columns[name] for name in columns] or list(table.columns)
        statement = select(*chosen).order_by(*(table.columns[name] for name in order_by))
        return await copy_out(db, statement, target, form=form)


def _form_of(file: str, format: str | None) -> Form | None:  # noqa: A002 # the option's name
    from dal.copy import CsvOut, NdjsonOut, ParquetOut
    from dal.copy.out.forms import form_of

    forms: dict[str, Form] = {
        "csv": CsvOut(),
        "tsv": CsvOut(delimiter="\t"),
        "ndjson": NdjsonOut(),
        "parquet": ParquetOut(),
    }
    if format is None and file == "-":
        raise Usage("the standard output has no name that says its form: give --format.")
    return forms[format] if format is not None else form_of(file, None)
