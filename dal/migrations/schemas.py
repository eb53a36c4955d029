"""The same migrations in many schemas: one for each tenant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Unpack

from dal.database import Database
from dal.errors import ConfigError, DALError, MigrationError
from dal.migrations.options import MigrationOptions

# `upgrade`, `downgrade` or `stamp`.
Migration = Callable[..., Awaitable[None]]
# So many of those that failed are named.
_NAMED: Final = 5


async def for_each_schema(
    db: Database, schemas: Sequence[str], do: Migration, revision: str = "head", **options: Unpack[MigrationOptions]
) -> None:
    """Do one of `upgrade`, `downgrade` and `stamp` in each of *schemas*, one after the other.

    Each has tables and a version table of its own, by its search_path, which ends with `public`; a revision names no
    schema. One that fails keeps none of the others from being done; then `MigrationError` names those that failed, and
    is raised from the first one's error. A schema that is at head costs one round trip.
    """
    if isinstance(schemas, str):
        raise ConfigError(f"schemas={schemas!r} is one name: give a list of names, such as [{schemas!r}].")
    failed: dict[str, Exception] = {}
    for schema in schemas:
        try:
            await do(db, revision, **{**options, "schema": schema})
        except Exception as error:  # a revision's code may raise anything, and the others are done
            failed[schema] = error
    if failed:
        first = next(iter(failed.values()))
        # The text of somebody else's error may have a value in it.
        said = first if isinstance(first, DALError) else type(first).__name__
        named = ", ".join(list(failed)[:_NAMED]) + (", ..." if len(failed) > _NAMED else "")
        raise MigrationError(
            f"{len(failed)} of {len(schemas)} schemas failed ({named}), and the others are done; the first one: {said}"
        ) from first
