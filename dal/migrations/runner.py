"""Bring a database to a revision, or say where it is, from inside the application."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Unpack

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from dal.database import Database
from dal.errors import MigrationError
from dal.migrations.environment import CONNECTION, PLAN, REVISED, SCHEMA
from dal.migrations.heads import is_at_head
from dal.migrations.migrator import migrator
from dal.migrations.options import MigrationOptions, Patience, config_of, ini_of
from dal.migrations.plan import Plan
from dal.migrations.version_table import version_table


@dataclass(frozen=True, slots=True)
class RevisionInfo:
    """A revision as its file has it; `down` are those it follows."""

    revision: str
    down: tuple[str, ...]
    message: str
    path: Path
    is_head: bool


async def upgrade(db: Database, revision: str = "head", **options: Unpack[MigrationOptions]) -> None:
    """Upgrade *db* to *revision*, each revision in a transaction of its own; safe inside a running loop.

    One process does it at a time: others wait, and find it done. It connects twice by itself, and not at all to migrate
    a database that is at head, for which one round trip is enough. Raises `MigrationError` for what Alembic refuses,
    `LockNotAvailable` where a lock or another migrator took too long, with who is in the way, and the server's errors;
    the database then stays at the last revision that was complete.
    """
    config = config_of(options)
    if revision in ("head", "heads") and await _is_at_head(db, config, options):
        return
    await _migrate(db, f"upgrade to {revision!r}", lambda config: command.upgrade(config, revision), options)


async def downgrade(db: Database, revision: str, **options: Unpack[MigrationOptions]) -> None:
    """Go back to *revision*, "-1" or "base"; as `upgrade` does. What the revisions drop is lost."""
    await _migrate(db, f"downgrade to {revision!r}", lambda config: command.downgrade(config, revision), options)


async def stamp(db: Database, revision: str = "head", **options: Unpack[MigrationOptions]) -> None:
    """Say that *db* is at *revision*, and change nothing else."""
    await _migrate(db, f"stamp {revision!r}", lambda config: command.stamp(config, revision), options)


async def current(db: Database, *, schema: str | None = None, ini: Path | None = None) -> tuple[str, ...]:
    """Tell at which revisions *db* is: none before the first one, several on several branches.

    With *ini*, by the version table that its env.py names; else by Alembic's own.
    """
    name, its_schema = ("alembic_version", None) if ini is None else version_table(ini)
    options = {"version_table": name, "version_table_schema": schema or its_schema}

    def heads(connection: Connection) -> tuple[str, ...]:
        return MigrationContext.configure(connection, opts=options).get_current_heads()

    async with db.engine.connect() as connection:
        return await connection.run_sync(heads)


def history(*, ini: Path = Path("alembic.ini")) -> list[RevisionInfo]:
    """Read all revisions of the code, the newest first."""
    script = ScriptDirectory.from_config(config_of({"ini": ini}))
    return [
        RevisionInfo(each.revision, _down(each), each.doc, Path(each.path), each.is_head)
        for each in script.walk_revisions()
    ]


def offline_sql(revision: str = "head", *, ini: Path = Path("alembic.ini")) -> str:
    """Render what an upgrade to *revision*, or of a range `from:to`, sends; nothing is connected to."""
    return rendered(lambda config: command.upgrade(config, revision, sql=True), ini=ini)


def offline_downgrade_sql(revisions: str, *, ini: Path = Path("alembic.ini")) -> str:
    """Render what a downgrade of a range `from:to` sends; nothing is connected to."""
    return rendered(lambda config: command.downgrade(config, revisions, sql=True), ini=ini)


def rendered(render: Callable[[Config], None], *, ini: Path) -> str:
    """Take down the SQL of an offline command of Alembic's."""
    config = config_of({"ini": ini})
    config.output_buffer = StringIO()
    with _refused("render"):
        render(config)
    return config.output_buffer.getvalue()


async def new_revision(
    message: str, db: Database | None = None, *, ini: Path = Path("alembic.ini"), rev_id: str | None = None
) -> list[Path]:
    """Write a revision: an empty one, or, with *db* at head, what the models have and it lacks; gives its files."""
    config = config_of({"ini": ini})
    config.cmd_opts = Namespace(quiet=True)

    def write() -> list[Path]:
        with _refused("write a revision"):
            made = command.revision(config, message, autogenerate=db is not None, rev_id=rev_id)
        scripts = made if isinstance(made, list) else [made]
        return [Path(each.path) for each in scripts if each is not None]

    def autogenerate(connection: Connection) -> list[Path]:
        config.attributes[CONNECTION] = connection
        return write()

    if db is None:
        return write()
    async with db.engine.connect() as connection:
        return await connection.run_sync(autogenerate)


async def check_at_head(db: Database, *, ini: Path = Path("alembic.ini")) -> None:
    """Raise `MigrationError` unless *db* is at the newest revision; for the start of a service."""
    script = ScriptDirectory.from_config(config_of({"ini": ini}))
    at = await current(db, ini=ini)
    if not is_at_head(script, at):
        raise MigrationError(
            f"the database {db.config.where} is at revision {', '.join(at) or 'none'}, and the code at "
            f"{', '.join(script.get_heads())}. Upgrade it: alembic upgrade head"
        )


def _down(revision: Script) -> tuple[str, ...]:
    """Name what a revision follows, on one branch or as a merge."""
    down = revision.down_revision
    return (down,) if isinstance(down, str) else tuple(down or ())


async def _is_at_head(db: Database, config: Config, options: MigrationOptions) -> bool:
    at = await current(db, schema=options.get("schema"), ini=ini_of(options))
    return is_at_head(ScriptDirectory.from_config(config), at)


async def _migrate(db: Database, what: str, do: Callable[[Config], None], options: MigrationOptions) -> None:
    config = config_of(options)

    def attempt(connection: Connection) -> None:
        config.attributes[CONNECTION] = connection
        do(config)

    async with migrator(db.config, Patience.of(config, options)) as locking:
        plan = Plan()
        heard = [locking.revised, plan.revised, *_told(options.get("on_revision"))]
        config.attributes |= {SCHEMA: options.get("schema"), REVISED: heard, PLAN: plan}
        with _refused(what):
            await locking.run(attempt)


def _told(on_revision: Callable[[str], None] | None) -> list[Callable[..., None]]:
    def told(*, step: MigrationInfo, **_: object) -> None:
        assert on_revision is not None  # noqa: S101 # or nobody is told
        on_revision(step.up_revision_id or ", ".join(step.up_revision_ids))

    return [] if on_revision is None else [told]


@contextmanager
def _refused(what: str) -> Generator[None]:
    try:
        yield
    except CommandError as error:
        raise MigrationError(f"cannot {what}: {error}") from error
