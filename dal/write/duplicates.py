"""Rows of one call that have the same key: the last wins, or they are refused.

Pure. Keys are compared here where Python's equality of what is sent is PostgreSQL's of what is stored: integers, text
without a collation of its own, uuid, date, bytea, boolean, enum. All others (numeric and its scale, timestamps, char,
citext, ranges, ...), and indexes with expressions or a predicate, are compared by the server.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import Column, types
from sqlalchemy.dialects import postgresql

from dal.errors import WriteError
from dal.write.batch import Batch, Sent
from dal.write.conflict import Arbiter

Duplicates: TypeAlias = Literal["last", "error"]

_EXACT: Final[dict[type[Any], type[Any]]] = {
    types.Integer: int,
    types.SmallInteger: int,
    types.BigInteger: int,
    types.INTEGER: int,
    types.SMALLINT: int,
    types.BIGINT: int,
    types.String: str,
    types.Text: str,
    types.Unicode: str,
    types.UnicodeText: str,
    types.VARCHAR: str,
    types.TEXT: str,
    types.Enum: str,
    postgresql.ENUM: str,
    types.Uuid: UUID,
    types.UUID: UUID,
    types.Boolean: bool,
    types.BOOLEAN: bool,
    types.Date: date,
    types.DATE: date,
    types.LargeBinary: bytes,
    postgresql.BYTEA: bytes,
}


def compared_here(batch: Batch, arbiter: Arbiter) -> bool:
    """Tell whether Python can say which rows share a key."""
    sent = [batch.of(column) for column in arbiter.columns]
    return arbiter.is_plain and all(each is not None and _is_exact(each) for each in sent)


def without_duplicates(batch: Batch, arbiter: Arbiter, duplicates: Duplicates) -> Batch:
    """Keep the last row of each key, in the order of the input; only for what is `compared_here`."""
    keys = _keys(batch, arbiter)
    if len(set(keys)) == batch.count:
        return batch
    last = dict(zip(keys, range(batch.count), strict=True))
    if duplicates == "last" and not (arbiter.nulls_distinct and _any_null(batch, arbiter)):
        return batch.picked(sorted(last.values()))
    last = {}
    free = []
    for position, key in enumerate(keys):
        if arbiter.nulls_distinct and _has_null(key):
            free.append(position)
        elif duplicates == "error" and key in last:
            raise same_key(last[key] + 1, position + 1)
        else:
            last[key] = position
    return batch.picked(sorted([*last.values(), *free]))


def in_order_of_keys(batch: Batch, arbiter: Arbiter) -> Batch:
    """Sort the rows, so that two calls at a time lock the rows that they share in one order, and never deadlock."""
    if _any_null(batch, arbiter):
        return batch  # Python has no order for them, and rows that never conflict need none
    keys = _keys(batch, arbiter)
    if sorted(keys) == keys:
        return batch
    return batch.picked(sorted(range(batch.count), key=keys.__getitem__))


def same_key(first: int, second: int) -> WriteError:
    """Name two rows that share a key."""
    return WriteError(
        f"rows {first} and {second} have the same key: give each key once, or duplicates='last' to keep the last. "
        "Nothing was written."
    )


def _keys(batch: Batch, arbiter: Arbiter) -> list[Any]:
    lists = [sent.values for column in arbiter.columns if (sent := batch.of(column))]
    return lists[0] if len(lists) == 1 else list(zip(*lists, strict=True))


def _any_null(batch: Batch, arbiter: Arbiter) -> bool:
    return any(sent is not None and None in sent.values for sent in map(batch.of, arbiter.columns))


def _has_null(key: Any) -> bool:
    return key is None or (type(key) is tuple and None in key)


def _is_exact(sent: Sent) -> bool:
    column: Column[Any] = sent.column
    expected = _EXACT.get(type(column.type))
    kinds = set(map(type, sent.values)) - {type(None)}
    if expected is None or not all(kind is expected or (expected is UUID and issubclass(kind, UUID)) for kind in kinds):
        return False
    if isinstance(column.type, types.Enum) or not isinstance(column.type, types.String):
        return True
    # A value that is too long is cut where only spaces are lost, and may so become another's equal.
    longest = max((len(value) for value in sent.values if value is not None), default=0)
    return column.type.collation is None and (column.type.length is None or longest <= column.type.length)
