"""What dal, SQLAlchemy and asyncpg keep for later, counted: by module, by `Database`, by connection.

Found by looking, not by a list: whatever a module of dal's keeps in a cache, a dict or a set that may grow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping, MutableSet
from contextlib import AsyncExitStack
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from dal import Database

STATEMENTS: Final = "SELECT count(*) FROM pg_prepared_statements"
_GROWING: Final = (MutableMapping, MutableSet, list, WeakSet, WeakKeyDictionary, WeakValueDictionary)


def cache_entries(db: Database) -> dict[str, int]:
    """Count the entries of everything that is kept, but on connections."""
    counted = dict(_of_modules())
    counted["Database.statements"] = len(vars(db.statements)["_kept"])
    if db.lookups is not None:
        for name in ("_queues", "_lanes"):
            counted[f"Database.lookups.{name}"] = len(vars(db.lookups)[name])
    compiled = db.engine.sync_engine._compiled_cache  # noqa: SLF001 # counted, and left as it is
    counted["sqlalchemy.compiled_cache"] = 0 if compiled is None else len(compiled)
    return counted


def bounded(most: int) -> set[str]:
    """Name the caches of functions that hold *most* at the most."""
    return {name for name, cache in _caches() if (cache.cache_info().maxsize or most + 1) <= most}


async def prepared_statements(db: Database) -> list[int]:
    """Ask the server how many statements it keeps for each connection that is idle at this moment."""
    async with AsyncExitStack() as stack:
        idle = range(max(1, db.pool.status().idle))
        drivers = [await stack.enter_async_context(db.checkout(priority=True)) for _ in idle]
        return [int(await driver.fetchval(STATEMENTS)) for driver in drivers]


def _of_modules() -> Iterator[tuple[str, int]]:
    for name, cache in _caches():
        yield name, cache.cache_info().currsize
    for module in _modules():
        for name, value in vars(module).items():
            if isinstance(value, _GROWING) and not name.startswith("__"):
                yield f"{module.__name__}.{name}", len(value)


def _caches() -> Iterator[tuple[str, Any]]:
    for module in _modules():
        for name, value in vars(module).items():
            if hasattr(value, "cache_info") and value.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", value


def _modules() -> list[Any]:
    return [module for name, module in sorted(sys.modules.items()) if name.partition(".")[0] == "dal"]
