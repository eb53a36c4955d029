"""Bring a database to a revision from inside the application, or say that it is not there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from dal.database import Database
from dal.errors import MigrationError
from dal.migrations.environment import CONNECTION


async def upgrade(db: Database, revision: str = "head", *, ini: Path = Path("alembic.ini")) -> None:
    """Upgrade *db* to *revision*, each revision in a transaction of its own; safe inside a running loop.

    Raises `MigrationError` for what Alembic refuses, and the server's errors; the database then stays at the last
    revision that was complete.
    """

    def run(connection: Connection) -> None:
        command.upgrade(Config(ini, attributes={CONNECTION: connection}), revision)

    async with db.engine.connect() as connection:
        try:
            await connection.run_sync(run)
        except CommandError as error:
            raise MigrationError(f"cannot upgrade to {revision!r}: {error}") from error
        await connection.commit()


async def check_at_head(db: Database, *, ini: Path = Path("alembic.ini")) -> None:
    """Raise `MigrationError` unless *db* is at the newest revision; for the start of a service."""

    def current(connection: Connection) -> tuple[str, ...]:
        return MigrationContext.configure(connection).get_current_heads()

    heads = ScriptDirectory.from_config(Config(ini)).get_heads()
    async with db.engine.connect() as connection:
        at = await connection.run_sync(current)
    if set(at) != set(heads):
        raise MigrationError(
            f"the database {db.config.where} is at revision {', '.join(at) or 'none'}, and the code at "
            f"{', '.join(heads)}. Upgrade it: alembic upgrade head"
        )
