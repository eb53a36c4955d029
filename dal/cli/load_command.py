"""The arguments of `dal load`, and their help.

Refuses: making sense of them, which is `dal.cli.load_asked`, and doing it, which is `dal.cli.load_run`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

_TEXT = "How text files are written"
_CONFLICT = "Rows that are there"
_ERRORS = "Records that cannot be loaded"
_PARTS = "Large loads"


def load(  # noqa: PLR0913, PLR0917 # a command's options, which typer gives by name
    files: Annotated[
        list[str],
        typer.Argument(help='Files or patterns: Parquet, CSV, TSV, NDJSON, also packed; "-" is the standard input.'),
    ],
    table: Annotated[str, typer.Option(help="The table, as it is called: neither quoted nor folded.")],
    schema: Annotated[str | None, typer.Option(help="Its schema, if not on the search path.")] = None,
    url: Annotated[
        str | None, typer.Option(envvar="DAL_DATABASE_URL", help="postgresql://user:password@host/database")
    ] = None,
    rename: Annotated[
        list[str] | None, typer.Option(metavar="THEIRS=OURS", help="A column that the table calls otherwise.")
    ] = None,
    on_conflict: Annotated[
        Literal["error", "skip", "update", "replace", "append_only_new"],
        typer.Option(
            help="What becomes of a record whose row is there; replace empties the table, append_only_new leaves out "
            "what is not greater than the greatest key.",
            rich_help_panel=_CONFLICT,
        ),
    ] = "error",
    key: Annotated[
        list[str] | None,
        typer.Option(help="A column of the unique key; else the primary key.", rich_help_panel=_CONFLICT),
    ] = None,
    update: Annotated[
        list[str] | None, typer.Option(help="A column to update; else all that are given.", rich_help_panel=_CONFLICT)
    ] = None,
    duplicates: Annotated[
        Literal["last", "first", "error"] | None,
        typer.Option(help="Which of the records with the same key counts; else the last.", rich_help_panel=_CONFLICT),
    ] = None,
    on_error: Annotated[
        Literal["abort", "reject"] | None,
        typer.Option(help="Fail, or leave the record out; abort unless told.", rich_help_panel=_ERRORS),
    ] = None,
    rejects: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write them to this .csv, .tsv or .ndjson.", rich_help_panel=_ERRORS),
    ] = None,
    rejects_table: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="Insert them into this table, made if needed.", rich_help_panel=_ERRORS),
    ] = None,
    max_rejects: Annotated[
        int | None, typer.Option(min=0, help="Fail if there are more.", rich_help_panel=_ERRORS)
    ] = None,
    format: Annotated[  # noqa: A002 # the option's name
        Literal["csv", "tsv", "ndjson"] | None, typer.Option(help="Else by the files' names.", rich_help_panel=_TEXT)
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help=r"Between fields; \t is a tab.", rich_help_panel=_TEXT)] = None,
    quote: Annotated[str | None, typer.Option(help='Around fields; else ".', rich_help_panel=_TEXT)] = None,
    escape: Annotated[
        str | None, typer.Option(help="Before a quote within quotes; else the quote.", rich_help_panel=_TEXT)
    ] = None,
    null: Annotated[
        list[str] | None, typer.Option(help="An unquoted text that is NULL; else the empty one.", rich_help_panel=_TEXT)
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="One of Python's; else utf-8.", rich_help_panel=_TEXT)] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The first line has no names: give --columns.", rich_help_panel=_TEXT)
    ] = False,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="The names, with --no-header.", rich_help_panel=_TEXT)
    ] = None,
    date: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=FORMAT", help="Dates of this format, of strptime.", rich_help_panel=_TEXT),
    ] = None,
    commit_every: Annotated[
        int | None, typer.Option(min=1, help="Commit every so many records.", rich_help_panel=_PARTS)
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on with the load of this name.", rich_help_panel=_PARTS)
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Load by so many connections at once.", rich_help_panel=_PARTS)
    ] = 1,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Drop indexes and foreign keys first, and make them again at the end.")
    ] = False,
    analyze: Annotated[bool, typer.Option("--analyze", help="Have the planner know the new rows at once.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything, say what it did, and roll it back.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and no table.")] = False,
) -> None:
    """Load files into a table by COPY: all of it or nothing, unless told otherwise.

    Exit codes:

    0  all is loaded

    1  the load failed: nothing is loaded, but what --commit-every or --resume had committed

    2  the command line cannot be carried out, and nothing was begun

    3  loaded, but for records that were rejected

    130  interrupted: as after 1
    """
    from dal.cli.load_asked import FileOptions, RowOptions, asked_of
    from dal.cli.load_run import run_load

    asked = asked_of(
        files,
        url,
        FileOptions(format, delimiter, quote, escape, null or [], encoding, no_header, columns, date or []),
        RowOptions(
            table,
            schema,
            rename or [],
            on_conflict,
            key or [],
            update or [],
            duplicates,
            on_error,
            rejects,
            rejects_table,
            max_rejects,
            commit_every,
            resume,
            workers,
            rebuild,
            analyze,
            dry_run,
        ),
    )
    raise typer.Exit(run_load(asked, as_json=as_json))
