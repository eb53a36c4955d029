"""What a downgrade would lose, and whether that is meant."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

import typer

from dal.cli.failing import carried_out
from dal.cli.usage import Usage
from dal.config import DatabaseConfig
from dal.database import Database
from dal.errors import MigrationError
from dal.migrations import current
from dal.migrations.runner import offline_downgrade_sql

# What loses rows or values; a type that is changed may.
_LOSING: Final = re.compile(
    r"^\s*(?:DROP (?:TABLE|SCHEMA|MATERIALIZED VIEW|TYPE)|TRUNCATE|DELETE|UPDATE"
    r"|ALTER TABLE .*(?:DROP COLUMN|ALTER COLUMN .* TYPE)).*?(?=;|$)",
    re.IGNORECASE | re.MULTILINE,
)
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
    async with Database(config) as db:
        at = await current(db, schema=schemas[0] if schemas else None)
    if not at:
        return []
    try:
        sql = offline_downgrade_sql(f"{','.join(at)}:{revision}", ini=ini)
    except MigrationError as error:
        return [f"what cannot be told before: {error}"]
    return [" ".join(found[0].split()) for found in _LOSING.finditer(sql) if "alembic_version" not in found[0]]
