"""What a test's database holds before the test: migrations, tables, rows; and a key that changes when any of it does.

Refuses: knowing where the database is.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_mock_engine

from dal.database import Database
from dal.migrations import upgrade

# To be raised when a template of the same key would be made otherwise.
_FORMAT: Final = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What to put into a new database, in this order: *migrations* to head, tables of *metadata*, rows by *seed*.

    *migrations* is an alembic.ini whose env.py calls `dal.migrations.run_env`. *seed* is called with the open
    `Database`. *files* are read by either, such as SQL scripts: like the migrations, the tables and the file that
    defines *seed*, they are part of the key, so that a change of them makes a new template.
    """

    migrations: Path | None = None
    metadata: Sequence[MetaData] = ()
    seed: Callable[[Database], Awaitable[object]] | None = None
    files: Sequence[Path] = ()

    def key(self, server: str) -> str:
        """Hash all that decides what the template holds: 16 hexadecimal digits."""
        digest = hashlib.sha256(f"{_FORMAT} {server}".encode())
        for text in self._sources():
            digest.update(hashlib.sha256(text).digest())
        return digest.hexdigest()[:16]

    async def apply(self, db: Database) -> None:
        """Put it all into *db*, which is empty."""
        if self.migrations is not None:
            await upgrade(db, ini=self.migrations)
        for metadata in self.metadata:
            async with db.engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
        if self.seed is not None:
            await self.seed(db)

    def _sources(self) -> Iterator[bytes]:
        if self.migrations is not None:
            yield from (path.read_bytes() for path in _migration_files(self.migrations))
        for metadata in self.metadata:
            yield _ddl(metadata).encode()
        if self.seed is not None:
            yield Path(inspect.getfile(self.seed)).read_bytes()
            yield self.seed.__qualname__.encode()
        yield from (path.read_bytes() for path in self.files)


def _migration_files(ini: Path) -> list[Path]:
    script = ScriptDirectory.from_config(Config(ini))
    revisions = sorted(Path(revision.path) for revision in script.walk_revisions())
    return [ini, Path(script.dir) / "env.py", *revisions]


def _ddl(metadata: MetaData) -> str:
    statements: list[str] = []

    def note(statement: Any, *_: Any, **__: Any) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("postgresql+asyncpg://", note)
    metadata.create_all(engine, checkfirst=False)
    # Sorted: the indexes of a table come in the order of a set.
    return ";".join(sorted(statements))
