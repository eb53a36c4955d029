"""The read of one type by primary key: of one row, or of many in one statement.

Refuses: a key that is none of its entity's, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from sqlalchemy import ARRAY, Over, Select, TypeDecorator, and_, bindparam, column, inspect, select
from sqlalchemy.sql import visitors

from dal.errors import ProjectionError
from dal.projection.assembly import Rows, assemble
from dal.projection.compiling import asks_anew
from dal.projection.keys import equal, unnested
from dal.projection.plan import Level, key_names
from dal.projection.planning import KEPT, plan_of
from dal.projection.reading import BySession, OnDriver, ProjectionSource, Sender, complete, sending

Key: TypeAlias = tuple[Any, ...]

# So many keys go in one array: their rows are in memory at once.
KEYS_AT_ONCE: Final = 10_000
# More than so many at once are a statement's worth by themselves.
_FEW: Final = 100
_PLACE: Final = "place"


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """One type by the primary key of its entity: the SELECT *one* takes a row's key, *many* those of any number.

    The last column of *many* is the place, from 1, of a row's key among those given. It is None where each row needs a
    statement of its own: keys that are arrays go into no array, and a window would see the rows of all. *only* is the
    type of a key's only value, if one is known.
    """

    entity: str
    level: Level
    one: Select[Any]
    many: Select[Any] | None
    keys: tuple[str, ...]
    types: tuple[type | None, ...]
    names: tuple[str, ...]
    only: type | None

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
    types = tuple(_python_type(column) for column in columns)
    many = None if asks_anew(level.project(one)) else _select_many(model, level, columns)
    only = types[0] if len(types) == 1 else None
    return Lookup(model.__name__, level, level.project(one), many, keys, types, key_names(len(keys)), only)


def _select_many(model: Any, level: Level, columns: Sequence[Any]) -> Select[Any] | None:
    """Match rows by the place of their key: a key that comes back need not be equal, in Python, to the one given.

    A citext, a padded CHAR, a UUID given as text.
    """
    if any(isinstance(_plain_type(column), ARRAY) for column in columns) or level.groups == () or _has_window(level):
        return None
    if _asks_anew(level):
        return None
    names = key_names(len(columns))
    arrays = [bindparam(name, type_=ARRAY(own.type)) for name, own in zip(names, columns, strict=True)]
    given = [column(name, own.type) for name, own in zip(names, columns, strict=True)]
    keys = unnested(arrays).table_valued(*given, with_ordinality=_PLACE).render_derived(name="keys")
    same = and_(*(equal(own, keys.c[name]) for name, own in zip(names, columns, strict=True)))
    place = keys.c[_PLACE]
    return level.joined(select(*level.columns, place).select_from(model).join(keys, same), (place,))


def get(source: ProjectionSource, lookup: Lookup, identity: Any) -> Coroutine[Any, Any, Any]:
    """Read one row by its key, or None: a round trip, and one for each collection."""
    key = (identity,) if identity.__class__ is lookup.only else lookup.key(identity)
    lookups = source.lookups
    if lookups is None or lookup.many is None:
        return get_alone(source, lookup, key)
    return lookups.read(lookup, (key,), None)


async def get_many(source: ProjectionSource, lookup: Lookup, identities: Sequence[Any]) -> list[Any]:
    """Read the rows of any number of keys, in the order of the keys, None for those that are not there."""
    keys = [lookup.key(identity) for identity in identities]
    lookups = source.lookups
    if lookups is None or lookup.many is None or not 0 < len(keys) <= _FEW:
        return await get_many_alone(source, lookup, keys)
    found: list[Any] = await lookups.read(lookup, keys, len(keys))
    return found


async def get_alone(source: ProjectionSource, lookup: Lookup, key: Key) -> Any:
    """Read one row by its key in a statement of its own."""
    async with source.reading_driver() as driver:
        if driver is not None:
            return await _get(OnDriver(driver, source.statements), lookup, key)
    async with source.reading() as session:
        return await _get(BySession(session), lookup, key)


async def get_many_alone(source: ProjectionSource, lookup: Lookup, keys: Sequence[Key]) -> list[Any]:
    """Read the rows of any number of keys in statements of their own."""
    if not keys:
        return []
    async with sending(source) as sender:
        return await _get_many(sender, lookup, keys)


async def fetch_many(sender: Sender, lookup: Lookup, keys: Sequence[Key]) -> Rows:
    """Read the rows of all *keys* in one statement, and what belongs to them; last in each is its key's place."""
    assert lookup.many is not None  # noqa: S101 # for who asks
    arrays = map(list, zip(*keys, strict=True))
    rows = await sender.fixed(lookup.many, lookup.many, dict(zip(lookup.names, arrays, strict=True)))
    return await complete(sender, lookup.level, rows) if lookup.level.children else rows


async def _get(sender: Sender, lookup: Lookup, key: Key) -> Any:
    rows = await sender.fixed(lookup, lookup.one, dict(zip(lookup.names, key, strict=True)))
    if lookup.level.children:
        await complete(sender, lookup.level, rows)
    found = assemble(lookup.level, rows)
    return found[0] if found else None


async def _get_many(sender: Sender, lookup: Lookup, keys: Sequence[Key]) -> list[Any]:
    if lookup.many is None:
        return [await _get(sender, lookup, key) for key in keys]
    found: list[Any] = [None] * len(keys)
    for start in range(0, len(keys), KEYS_AT_ONCE):
        rows = await fetch_many(sender, lookup, keys[start : start + KEYS_AT_ONCE])
        for row, each in zip(rows.rows, assemble(lookup.level, rows), strict=True):
            found[start + row[-1] - 1] = each
    return found


def _fits(value: Any, kind: type | None) -> bool:
    """Tell whether the driver may take *value*; what an integer is, numpy's too, says its __index__."""
    if kind is int:
        return hasattr(value, "__index__")
    return kind is None or isinstance(value, kind)


def _python_type(column: Any) -> type | None:
    """Give the type of a key's values, of those types for which the driver takes no other."""
    kind = column.type
    try:
        found: Any = kind.python_type
    except NotImplementedError:
        return None
    return found if found in {int, str} and not isinstance(kind, TypeDecorator) else None


def _plain_type(column: Any) -> Any:
    kind = column.type
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def _asks_anew(level: Level) -> bool:
    """Tell whether a value is asked for when a collection is read: in the context of who reads it."""
    return any(asks_anew(child.statement) or _asks_anew(child.level) for child in level.children)


def _has_window(level: Level) -> bool:
    """Tell whether a value may depend on other rows; also one of a collection's, whose statement is for all rows."""
    elements = (inspect(column).expression if hasattr(column, "property") else column for column in level.columns)
    own = any(isinstance(part, Over) for element in elements for part in visitors.iterate(element))
    return own or any(_has_window(child.level) for child in level.children)
