"""Many identities as arrays: any number of them is one prepared statement.

Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, TypeDecorator, select, tuple_

from dal.projection.keys import among, table_of
from dal.projection.plan import key_names

# So many keys go in one array; where their types go into none, each value is a parameter of its own, of 32,767.
KEYS_AT_ONCE: Final = 10_000
_IN_AT_ONCE: Final = 500


def keys_at_once(columns: Sequence[Any]) -> int:
    """Give how many identities by *columns* go in one statement."""
    return _IN_AT_ONCE if by_array(columns) is None else KEYS_AT_ONCE


def in_keys(columns: Sequence[Any], identities: Collection[Any]) -> tuple[ColumnElement[bool], dict[str, Any]]:
    """Say that *columns* are one of some identities, each a tuple; gives the parameters too."""
    criterion = by_array(columns)
    if criterion is not None:
        arrays = map(list, zip(*identities, strict=True))
        return criterion, dict(zip(key_names(len(columns)), arrays, strict=True))
    if len(columns) == 1:
        return columns[0].in_([key for (key,) in identities]), {}
    return tuple_(*columns).in_(list(identities)), {}


def by_array(columns: Sequence[Any]) -> ColumnElement[bool] | None:
    """Say that *columns* are one of the keys given by `key_names`; None if some type's values go into no array."""
    if any(_is_array(column.type) or among(column, column.type) is None for column in columns):
        return None
    if len(columns) == 1:
        return among(columns[0], columns[0].type)
    return tuple_(*columns).in_(select(*table_of([column.type for column in columns]).c))


def _is_array(kind: Any) -> bool:
    return isinstance(kind.impl_instance if isinstance(kind, TypeDecorator) else kind, ARRAY)
