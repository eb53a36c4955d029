"""What `dal` can be told to do: arguments and exit codes, nothing else."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from dal.cli.db_command import app as db
from dal.cli.dump_command import dump
from dal.cli.load_command import load
from dal.cli.usage import Usage
from dal.errors import extra_needed

# ClickException, click's or typer's own copy of it, for which typer has no public name.
_REFUSED: Final = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])

app = typer.Typer(
    help="Async data access for PostgreSQL on SQLAlchemy, asyncpg and Alembic.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(load)
app.command()(dump)
app.add_typer(db, name="db")


def run() -> int:
    """Do what the command line says; gives the exit code. Raises `Usage` for a line that says nothing."""
    try:
        code = app(standalone_mode=False)
    except _REFUSED as error:
        message = error.format_message()  # empty where the help was printed instead
        if message:
            raise Usage(" ".join(message.split())) from None
        return int(error.exit_code)
    return code if isinstance(code, int) else 0


@app.callback(invoke_without_command=True)
def root(
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Hold the options that go before a command."""
    if show_version:
        typer.echo(f"dal {version('dal')}")
        raise typer.Exit


@app.command()
def demo(
    scale: Annotated[float, typer.Option(help="TPC-H scale factor; 1 is 8.7 million rows.", min=0.001)] = 0.1,
    url: Annotated[str | None, typer.Option(help="A server to use instead of an embedded one.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the TPC-H files are kept.")] = None,
) -> None:
    """Load TPC-H into PostgreSQL and show, checked, what dal does.

    Works in a schema of its own and drops only that. Exit code 1 if a check fails, 2 if the tour could not be taken.
    """
    with extra_needed("demo"):
        from dal.demo.tour import take_tour
    result = asyncio.run(take_tour(scale=scale, url=url, data=data))
    if json_file is not None:
        json_file.write_text(json.dumps(result.as_dict(), indent=2) + "\n")
    raise typer.Exit(0 if result.ok else 1)
