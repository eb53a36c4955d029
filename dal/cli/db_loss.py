"""What a downgrade would lose, and whether that is meant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

from dal.cli.db_losing import losses
from dal.cli.failing import carried_out
from dal.cli.usage import Usage
from dal.config import DatabaseConfig
from dal.database import Database
from dal.errors import MigrationError
from dal.migrations import current
from dal.migrations.runner import offline_downgrade_sql
from dal.migrations.version_table import version_table

_SHOWN: Final = 10


def agreed(config: DatabaseConfig, ini: Path, revision: str, schemas: list[str]) -> None:
    """Ask whether what is lost may be; raises `Usage` where nobody can answer, and `typer.Exit` for a no."""
    losses = carried_out(_losses(config, ini, revision, schemas), interrupted="interrupted: nothing was done.")
    if not losses:
        return
    shown = losses[:_SHOWN] + ([f"and {len(losses) - _SHOWN} more"] if len(losses) > _SHOWN else [])
    if not sys.stdin.isatty():
        raise Usage(f"the downgrade loses data ({'; '.join(shown)}): give --yes if that is meant.")
    typer.echo("\n".join(["This loses data:", *shown]), err=True)
    if not typer.confirm("Go on?", err=True):
        raise typer.Exit(1)


async def _losses(config: DatabaseConfig, ini: Path, revision: str, schemas: list[str]) -> list[str]:
    """List what is lost in any of the schemas, of which each may be elsewhere."""
    async with Database(config) as db:
        named: Sequence[str | None] = schemas or [None]
        each_at = {await current(db, schema=schema, ini=ini): None for schema in named}
    versions, _ = version_table(ini)
    return list(dict.fromkeys(loss for at in each_at if at for loss in _lost_from(at, ini, revision, versions)))


def _lost_from(at: tuple[str, ...], ini: Path, revision: str, versions: str) -> list[str]:
    try:
        sql = offline_downgrade_sql(f"{','.join(at)}:{revision}", ini=ini)
    except Exception as error:  # a revision that wants rows may raise anything when there are none
        said = str(error) if isinstance(error, MigrationError) else type(error).__name__
        return [f"what cannot be told before: {said}"]
    return losses(sql, versions)
