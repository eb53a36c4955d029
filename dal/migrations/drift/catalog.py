"""What a database is made of: every object of some schemas, each with its definition, as PostgreSQL's catalog has it.

Refuses: objects of extensions, partitions and temporary tables; and what is not said in `dal.migrations.drift.queries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

import asyncpg

from dal.migrations.drift.queries import EVERYTHING

# The kind and the qualified name.
Key: TypeAlias = tuple[str, str]

# Names are written in full where they are not on the search path, and times in the session's zone.
_SAME: Final = """
    SET LOCAL search_path = ''; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle =
    'postgres'; SET LOCAL extra_float_digits = 1; SET LOCAL jit = off
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object: what it is, and what it is a part of."""

    definition: str
    parent: Key | None = None


Catalog: TypeAlias = Mapping[Key, Entry]


async def read(driver: asyncpg.Connection, schemas: Sequence[str], ignore: Sequence[str] = ()) -> dict[Key, Entry]:
    """Read all objects in *schemas* but those that a pattern of *ignore* names, and what is a part of them.

    Two round trips, in the transaction that *driver* is in; the settings of that transaction are changed.
    """
    await driver.execute(_SAME)
    return _kept(await driver.fetch(EVERYTHING, list(schemas)), ignore)


def is_ignored(name: str, ignore: Sequence[str]) -> bool:
    """Tell whether one of the patterns is that of *name*, or of what it is a part of."""
    parts = name.split(".")
    names = [".".join(parts[:end]) for end in range(2, len(parts) + 1)]
    return any(fnmatchcase(each, pattern) for each in names or [name] for pattern in ignore)


def _kept(rows: Iterable[Any], ignore: Sequence[str]) -> dict[Key, Entry]:
    """Leave out what is ignored, and what is a part of something that is not there, such as of a partition."""
    found: dict[Key, Entry] = {}
    for kind, name, definition, parent_kind, parent, comment in rows:
        key = (kind, name)
        found[key] = Entry(definition, None if parent is None else (parent_kind, parent))
        if comment is not None:
            found[f"comment on {kind}", name] = Entry(comment, key)
    dropped = {key for key in found if is_ignored(key[1], ignore)}
    return {key: entry for key, entry in found.items() if _stays(key, found, dropped)}


def _stays(key: Key | None, found: Catalog, dropped: set[Key]) -> bool:
    while key is not None and key[0] != "schema":
        if key not in found or key in dropped:
            return False
        key = found[key].parent
    return True
