"""Options that the commands of `dal db` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dal.migrations import MigrationOptions

_WAITING = "Waiting"

Url = Annotated[str | None, typer.Option(envvar="DAL_DATABASE_URL", help="postgresql://user:password@host/database")]
Ini = Annotated[Path, typer.Option(help="Where the migrations are.")]
Schemas = Annotated[
    list[str] | None,
    typer.Option("--schema", help="Do it in this schema; for each tenant once.", rich_help_panel=_WAITING),
]
LockTimeout = Annotated[
    float | None,
    typer.Option(
        "--lock-timeout", metavar="SECONDS", help="A statement waits so long; else 1.5.", rich_help_panel=_WAITING
    ),
]
GiveUpAfter = Annotated[
    float | None,
    typer.Option("--give-up-after", metavar="SECONDS", help="Tries for so long; else 600.", rich_help_panel=_WAITING),
]
Wait = Annotated[
    float | None,
    typer.Option("--wait", metavar="SECONDS", help="For another migrator; else 600.", rich_help_panel=_WAITING),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

INI = Path("alembic.ini")


def options_of(
    ini: Path, lock_timeout: float | None, give_up_after: float | None, wait: float | None
) -> MigrationOptions:
    """Take what was typed, and leave the rest to alembic.ini."""
    options: MigrationOptions = {"ini": ini}
    if lock_timeout is not None:
        options["lock_timeout_s"] = lock_timeout
    if give_up_after is not None:
        options["give_up_after_s"] = give_up_after
    if wait is not None:
        options["wait_s"] = wait
    return options
