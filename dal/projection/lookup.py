"""The read of one type by primary key: of one row, or of many in one statement.

Refuses: a key that is none of its entity's, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Select, TypeDecorator, bindparam, inspect, select

from dal.errors import ProjectionError
from dal.projection.assembly import assemble, by_key
from dal.projection.markers import Load
from dal.projection.plan import Child, Level, key_names
from dal.projection.planning import KEPT, plan_of
from dal.projection.reading import BySession, OnDriver, ProjectionSource, Sender, complete, fetch_children, sending
from dal.projection.relationships import Related

# So many keys go in one array: their rows are in memory at once.
KEYS_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """One type by the primary key of its entity: the SELECT *one* takes a row's key, *many* those of any number."""

    entity: str
    level: Level
    one: Select[Any]
    many: Child
    keys: tuple[str, ...]
    types: tuple[type | None, ...]
    names: tuple[str, ...]

    def key(self, identity: Any) -> tuple[Any, ...]:
        """Give the values of a key, as `get` takes it; raises `ProjectionError` for what can be none."""
        if isinstance(identity, dict):
            fits = identity.keys() == set(self.keys)
            values = tuple(identity[key] for key in self.keys) if fits else ()
        else:
            values = identity if isinstance(identity, tuple) else (identity,)
        if len(values) != len(self.keys) or not all(map(_fits, values, self.types)):
            named = zip(self.keys, self.types, strict=True)
            words = ", ".join(f"{key} ({kind.__name__})" if kind else key for key, kind in named)
            raise ProjectionError(f"the primary key of {self.entity} is {words}; what was given cannot be one.")
        return values


def lookup_of(model: Any, into: Any) -> Lookup:
    """Plan how *into* is read of *model* by primary key; raises `ProjectionError` for what does not fit."""
    return _planned(model, into)


@lru_cache(maxsize=KEPT)
def _planned(model: Any, into: Any) -> Lookup:
    mapper = inspect(model)
    level = plan_of(model, into)
    keys = tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)
    columns = [getattr(model, key) for key in keys]
    binds = [bindparam(name, type_=column.type) for name, column in zip(key_names(len(keys)), columns, strict=True)]
    one = select(model).where(*(column == bind for column, bind in zip(columns, binds, strict=True)))
    all_of_them = Related(model, keys, tuple(columns)).statement(level, Load())
    own = tuple(range(len(level.columns), len(level.columns) + len(keys)))
    types = tuple(_python_type(column) for column in columns)
    return Lookup(
        model.__name__, level, level.project(one), Child(level, all_of_them, (), own), keys, types, key_names(len(keys))
    )


async def get(source: ProjectionSource, lookup: Lookup, identity: Any) -> Any:
    """Read one row by its key, or None: a round trip, and one for each collection."""
    key = lookup.key(identity)
    async with source.reading_driver() as driver:
        if driver is not None:
            return await _get(OnDriver(driver, source.statements), lookup, key)
    async with source.reading() as session:
        return await _get(BySession(session), lookup, key)


async def get_many(source: ProjectionSource, lookup: Lookup, identities: Sequence[Any]) -> list[Any]:
    """Read the rows of any number of keys, in the order of the keys, None for those that are not there."""
    keys = [lookup.key(identity) for identity in identities]
    wanted = [key[0] for key in keys] if len(lookup.keys) == 1 else keys
    async with sending(source) as sender:
        found = await _get_many(sender, lookup, list(dict.fromkeys(wanted)))
    return [found.get(key) for key in wanted]


async def _get(sender: Sender, lookup: Lookup, key: tuple[Any, ...]) -> Any:
    rows = await sender.fixed(lookup, lookup.one, dict(zip(lookup.names, key, strict=True)))
    if lookup.level.children:
        await complete(sender, lookup.level, rows)
    found = assemble(lookup.level, rows)
    return found[0] if found else None


async def _get_many(sender: Sender, lookup: Lookup, keys: Sequence[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for start in range(0, len(keys), KEYS_AT_ONCE):
        rows = await fetch_children(sender, lookup.many, keys[start : start + KEYS_AT_ONCE])
        found.update((key, each[0]) for key, each in by_key(lookup.many, rows).items())
    return found


def _fits(value: Any, kind: type | None) -> bool:
    """Tell whether the driver may take *value*; what an integer is, numpy's too, says its __index__."""
    if kind is int:
        return hasattr(value, "__index__")
    return kind is None or isinstance(value, kind)


def _python_type(column: Any) -> type | None:
    """Give the type of a key's values, of those types for which the driver takes no other."""
    kind = column.type
    return None if isinstance(kind, TypeDecorator) or kind.python_type not in {int, str} else kind.python_type
