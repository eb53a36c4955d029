"""Rows of any kind, turned into columns: mappings, dataclasses, msgspec structs and entities.

Pure. Refuses: rows of one call that differ in their attributes, so that nobody has to guess what a missing one means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias, cast

from sqlalchemy import ClauseElement, Column, Null, inspect
from sqlalchemy.orm import InstanceState

from dal.errors import WriteError
from dal.write.target import Target

_Getter: TypeAlias = Callable[[str], Callable[[Any], Any]]


@dataclass(slots=True)
class Rows:
    """`values` holds one list per column, each of `count` values, in the order of the rows."""

    count: int
    values: dict[Column[Any], list[Any]]


def rows_of(given: Iterable[Any], target: Target) -> Rows:
    """Take *given* apart, by attribute; raises `WriteError` with the number of the first row that does not fit."""
    rows: Sequence[Any] = given if isinstance(given, list | tuple) else list(given)
    if not rows:
        return Rows(0, {})
    first = rows[0]
    if isinstance(inspect(first, raiseerr=False), InstanceState):
        rows = [_entity(row, number, target) for number, row in enumerate(rows, 1)]
    if isinstance(rows[0], Mapping):
        names, getter = list(rows[0]), cast("_Getter", itemgetter)
    else:
        names, getter = _fields_of(first), cast("_Getter", attrgetter)
        _refuse_other_kinds(rows)
    if not names:
        raise WriteError("row 1 has no attributes: every row must give at least one. Nothing was written.")
    columns = target.columns_of(names)
    _refuse_expressions(rows[0], names, getter)
    return Rows(len(rows), dict(zip(columns, _taken(rows, names, getter), strict=True)))


def _taken(rows: Sequence[Any], names: list[str], getter: _Getter) -> list[list[Any]]:
    if isinstance(rows[0], defaultdict):
        rows = [dict(row) if isinstance(row, Mapping) else row for row in rows]  # which makes up no attribute
    try:
        taken = [list(map(getter(name), rows)) for name in names]
    except (KeyError, TypeError) as error:
        raise _other_keys(rows, set(names)) from error
    # Every row has every name, so none has another if the sizes agree.
    if isinstance(rows[0], Mapping) and sum(map(len, rows)) != len(rows) * len(names):
        raise _other_keys(rows, set(names))
    return taken


def _entity(row: Any, number: int, target: Target) -> Mapping[str, Any]:
    state = inspect(row, raiseerr=False)
    if not isinstance(state, InstanceState) or not state.mapper.isa(target.mapper):
        raise WriteError(
            f"row {number} is a {type(row).__name__}, not a {target.mapper.class_.__name__}. Nothing was written."
        )
    own = state.mapper.local_table.c
    held = state.dict
    return {
        each.key: held[each.key]
        for each in state.mapper.column_attrs
        if each.key in held and each.columns[0] in own.values()
    }


def _fields_of(row: Any) -> list[str]:
    if is_dataclass(row) and not isinstance(row, type):
        return [field.name for field in fields(row)]
    names: tuple[str, ...] | None = getattr(row, "__struct_fields__", None)
    if names is not None:
        return list(names)
    raise WriteError(
        f"row 1 is a {type(row).__name__}: give mappings, dataclasses, msgspec structs or entities. "
        "Nothing was written."
    )


def _other_keys(rows: Sequence[Any], known: set[str]) -> WriteError:
    number, row = next((n, row) for n, row in enumerate(rows, 1) if not isinstance(row, Mapping) or set(row) != known)
    if not isinstance(row, Mapping):
        return WriteError(f"row {number} is a {type(row).__name__}, but row 1 is a mapping. Nothing was written.")
    odd = min(map(str, known.symmetric_difference(row)))
    has = "has" if odd in row else "lacks"
    return WriteError(
        f"row {number} {has} {odd!r}, other than row 1: every row of one call must have the same attributes. "
        "Nothing was written."
    )


def _refuse_other_kinds(rows: Sequence[Any]) -> None:
    kind = type(rows[0])
    if set(map(type, rows)) != {kind}:
        number = next(number for number, row in enumerate(rows, 1) if type(row) is not kind)
        raise WriteError(
            f"row {number} is a {type(rows[number - 1]).__name__}, but row 1 is a {kind.__name__}. Nothing was written."
        )


def _refuse_expressions(row: Any, names: list[str], getter: _Getter) -> None:
    for name in names:
        value = getter(name)(row)
        if isinstance(value, ClauseElement) and not isinstance(value, Null):
            raise WriteError(
                f"row 1 has an SQL expression as {name!r}: rows hold values; expressions go to update_where() or into "
                "the column's default. Nothing was written."
            )
