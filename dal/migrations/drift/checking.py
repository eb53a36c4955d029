"""The check: models, migrations and a live database, looked at one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from dal.copy.checkpoint import CHECKPOINTS
from dal.database import Database
from dal.migrations.drift import environment
from dal.migrations.drift.catalog import Entry, Key, is_ignored, read
from dal.migrations.drift.comparing import Seen, differences
from dal.migrations.drift.difference import Drift
from dal.migrations.drift.environment import Environment
from dal.migrations.drift.models import ModelsHave, of_diffs
from dal.migrations.drift.scratch import scratch_database
from dal.migrations.options import SECTION, config_of
from dal.migrations.runner import upgrade
from dal.session import driver_in_transaction

# Tables that dal makes when it needs them: of loads, of what loads in parts, of backfills.
_OWN: Final = (f"*.{CHECKPOINTS}", f"*.dal_load_{'[0-9a-f]' * 12}", "*.dal_backfills")


async def check(
    db: Database,
    *,
    ini: Path = Path("alembic.ini"),
    scratch: URL | None = None,
    ignore: Sequence[str] = (),
    schemas: Sequence[str] | None = None,
) -> Drift:
    """Compare the models, what all revisions make of an empty database, and *db*, which is only read.

    The revisions are run in a database that is made beside *db* and dropped again, also when this is cancelled; or in
    *scratch*, the URL of an empty one, which is emptied again. Left alone are objects of extensions, in other *schemas*
    than those of the models, and those that *ignore* or `drift_ignore` in alembic.ini names, such as `public.audit_*`.

    Of *db* it takes one read-only transaction with about six round trips, and one more, in which Alembic reflects the
    models' tables, if something was changed in the models and by hand. Elsewhere it takes what CREATE DATABASE, all
    revisions and Alembic's autogenerate take: seconds. Raises `MigrationError` if there is no database to be had, for a
    revision that the code does not know, and for what Alembic refuses; and the server's errors.
    """
    ignored = [*ignore, *_ignored_by(ini), *_OWN]
    said, database = await look(db, ini, ignored, schemas)
    pending = environment.pending(ini, said.heads)
    within = schemas or said.schemas
    async with scratch_database(db, scratch) as made:
        for revision in said.heads:
            await upgrade(made, revision, ini=ini)
        _, done = head = await look(made, ini, ignored, within)
        if pending:
            await upgrade(made, "heads", ini=ini)
            head = await look(made, ini, ignored, within)
        models = await _of_models(made, ini, ignored) if said.has_models else None
    seen = Seen(database, done, head[1], models)
    if seen.both and said.heads and not pending:
        seen = replace(seen, unfit=frozenset(await _of_models(db, ini, ignored)))
    return Drift(db.config.where, said.heads, pending, differences(seen))


async def check_models(db: Database, *, ini: Path = Path("alembic.ini"), ignore: Sequence[str] = ()) -> Drift:
    """Compare the models with *db*, which the migrations have made by themselves; it is only read.

    As `check` does, without another database: for tests.
    """
    ignored = [*ignore, *_ignored_by(ini), *_OWN]
    said, made = await look(db, ini, ignored)
    models = await _of_models(db, ini, ignored)
    return Drift(db.config.where, said.heads, (), differences(Seen(made, made, made, models)))


async def look(
    db: Database, ini: Path, ignore: Sequence[str] = (), schemas: Sequence[str] | None = None
) -> tuple[Environment, dict[Key, Entry]]:
    """Read in one read-only transaction what env.py says of *db*, and the catalog of the models' or those *schemas*."""
    async with db.begin(isolation="repeatable read", read_only=True) as session:
        connection = await session.connection()
        said = await connection.run_sync(environment.read, ini)
        async with driver_in_transaction(session) as driver:
            found = await read(driver, schemas or said.schemas, [*ignore, said.version_table])
        await session.rollback()
    return said, found


async def _of_models(db: Database, ini: Path, ignore: Sequence[str]) -> dict[Key, ModelsHave]:
    async with db.begin(read_only=True) as session:
        connection = await session.connection()
        default = connection.dialect.default_schema_name or "public"
        diffs = await connection.run_sync(environment.of_models, ini)
        await session.rollback()
    found = of_diffs(diffs, default)
    return {key: has for key, has in found.items() if not _is_ignored(key, has, ignore)}


def _is_ignored(key: Key, has: ModelsHave, ignore: Sequence[str]) -> bool:
    return any(is_ignored(name, ignore) for _, name in (key, has.parent or key))


def _ignored_by(ini: Path) -> list[str]:
    said = config_of({"ini": ini}).file_config.get(SECTION, "drift_ignore", fallback="")
    return [pattern.strip() for pattern in said.split(",") if pattern.strip()]
