"""Where a database is, and which revisions there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import typer
from alembic.script import ScriptDirectory
from rich.console import Console
from rich.table import Table

from dal.cli.failing import FAILED, carried_out
from dal.config import DatabaseConfig
from dal.database import Database
from dal.migrations import current, history
from dal.migrations.heads import is_at_head
from dal.migrations.options import config_of


def show_current(config: DatabaseConfig, ini: Path, schemas: Sequence[str], *, as_json: bool) -> int:
    """Print the revisions of each schema; gives the exit code."""
    script = ScriptDirectory.from_config(config_of({"ini": ini}))
    heads = script.get_heads()
    found = carried_out(_current(config, ini, schemas), interrupted="interrupted.")
    if as_json:
        typer.echo(
            json.dumps({"heads": sorted(heads), "at": [{"schema": name, "revisions": at} for name, at in found]})
        )
    else:
        for name, at in found:
            where = f"{name}: " if name else ""
            behind = "" if is_at_head(script, at) else f"; the code is at {', '.join(sorted(heads)) or 'no revision'}"
            typer.echo(f"{where}{', '.join(at) or 'base'}{behind}")
    return 0 if all(is_at_head(script, at) for _, at in found) else FAILED


async def _current(
    config: DatabaseConfig, ini: Path, schemas: Sequence[str]
) -> list[tuple[str | None, tuple[str, ...]]]:
    names: Sequence[str | None] = schemas or [None]
    async with Database(config) as db:
        return [(schema, await current(db, schema=schema, ini=ini)) for schema in names]


def show_history(ini: Path, *, as_json: bool) -> None:
    """Print the revisions."""
    revisions = history(ini=ini)
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {"revision": each.revision, "down": each.down, "message": each.message, "path": str(each.path)}
                    for each in revisions
                ]
            )
        )
        return
    shown = Table("revision", "after", "what it does", "file")
    for each in revisions:
        name = f"{each.revision} (head)" if each.is_head else each.revision
        shown.add_row(name, ", ".join(each.down) or "base", each.message, each.path.name)
    Console(highlight=False).print(shown)
