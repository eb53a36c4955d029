"""`dal db`: migrations, from the first file to the last revision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dal.cli.database_url import database_of
from dal.cli.db_check import check
from dal.cli.db_lint import lint
from dal.cli.db_options import (
    INI,
    AsJson,
    GiveUpAfter,
    Ini,
    LockTimeout,
    Schemas,
    Url,
    Wait,
    options_of,
)
from dal.cli.usage import Usage

app = typer.Typer(
    help="Migrations, by Alembic: one process at a time, and never in the way of others.\n\n"
    "Exit codes: 0 done, 1 failed or different, 2 the command line cannot be carried out, 130 interrupted.",
    no_args_is_help=True,
)


app.command()(lint)
app.command()(check)


@app.command()
def init(
    metadata: Annotated[str, typer.Argument(help="Where the models are: app.models:Base, or a MetaData.")],
    folder: Annotated[Path, typer.Option(help="Where to write alembic.ini and alembic/.")] = Path(),
) -> None:
    """Write alembic.ini, alembic/env.py and the template of revisions for a new service, ready to run."""
    from dal.cli.db_init import write_environment

    for path in write_environment(metadata, folder):
        typer.echo(f"wrote {path}")


@app.command()
def revision(
    message: Annotated[str, typer.Option("--message", "-m", help="What it does.")],
    *,
    autogenerate: Annotated[
        bool, typer.Option("--autogenerate", help="With what the models have and the database lacks.")
    ] = False,
    rev_id: Annotated[str | None, typer.Option(help="Its number; else a random one.")] = None,
    url: Url = None,
    ini: Ini = INI,
) -> None:
    """Write a new revision."""
    from dal.cli.db_run import write_revision
    from dal.cli.failing import carried_out

    config = database_of(url) if autogenerate else None
    for path in carried_out(write_revision(config, message, ini, rev_id), interrupted="interrupted."):
        typer.echo(f"wrote {path}")


@app.command()
def upgrade(  # noqa: PLR0913, PLR0917 # a command's options, which typer gives by name
    revision: Annotated[str, typer.Argument(help="Up to this one.")] = "head",
    url: Url = None,
    ini: Ini = INI,
    schema: Schemas = None,
    lock_timeout: LockTimeout = None,
    give_up_after: GiveUpAfter = None,
    wait: Wait = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL, and connect to nothing.")] = False,
) -> None:
    """Bring the database to a revision, each revision in a transaction of its own."""
    from dal.cli.db_run import Move, moved
    from dal.migrations import offline_sql
    from dal.migrations import upgrade as do

    if sql:
        if schema:
            raise Usage("--sql writes nothing for a --schema: run the script with SET search_path, or leave --sql out.")
        typer.echo(offline_sql(revision, ini=ini), nl=False)
        return
    moved(Move(do, revision, database_of(url), options_of(ini, lock_timeout, give_up_after, wait), schema or []))


@app.command()
def downgrade(  # noqa: PLR0913, PLR0917 # a command's options, which typer gives by name
    revision: Annotated[str, typer.Argument(help='Back to this one; -1 is the one before, "base" is none.')],
    url: Url = None,
    ini: Ini = INI,
    schema: Schemas = None,
    lock_timeout: LockTimeout = None,
    give_up_after: GiveUpAfter = None,
    wait: Wait = None,
    yes: Annotated[bool, typer.Option("--yes", help="Also where data is lost.")] = False,
) -> None:
    """Take revisions back. Where that loses data it asks, or wants --yes."""
    from dal.cli.db_loss import agreed
    from dal.cli.db_run import Move, moved
    from dal.migrations import downgrade as do

    config = database_of(url)
    if not yes:
        agreed(config, ini, revision, schema or [])
    moved(Move(do, revision, config, options_of(ini, lock_timeout, give_up_after, wait), schema or []))


@app.command()
def stamp(
    revision: Annotated[str, typer.Argument(help="This one.")] = "head",
    url: Url = None,
    ini: Ini = INI,
    schema: Schemas = None,
) -> None:
    """Say that the database is at a revision, and change nothing else."""
    from dal.cli.db_run import Move, moved
    from dal.migrations import stamp as do

    moved(Move(do, revision, database_of(url), {"ini": ini}, schema or []))


@app.command()
def current(*, url: Url = None, ini: Ini = INI, schema: Schemas = None, as_json: AsJson = False) -> None:
    """Say at which revision the database is; exit code 1 if it is not at head."""
    from dal.cli.db_show import show_current

    raise typer.Exit(show_current(database_of(url), ini, schema or [], as_json=as_json))


@app.command()
def history(*, ini: Ini = INI, as_json: AsJson = False) -> None:
    """List the revisions, the newest first."""
    from dal.cli.db_show import show_history

    show_history(ini, as_json=as_json)


@app.command()
def locks(*, url: Url = None, as_json: AsJson = False) -> None:
    """Say who waits for a lock, and for whom; and who migrates."""
    from dal.cli.db_locks import show_locks

    show_locks(database_of(url), as_json=as_json)
