"""Records that Python holds: tuples, mappings, dataclasses, msgspec structs, pydantic models, rows and entities.

From anything that can be iterated, also asynchronously. Refuses: records of one source that differ in their fields.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from itertools import chain, islice
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa
from sqlalchemy import Column, inspect
from sqlalchemy.orm import InstanceState

from dal.copy.records import CHUNK_ROWS, Broken, Chunk, Records
from dal.errors import CopyError

# Of records that are in memory: so many are sent in one go, and the server has them while the next are made.
HELD_ROWS: Final = 4_096

_Get: TypeAlias = Callable[[Any], Any]


class _Kind(NamedTuple):
    """What the first record is: how its fields are called and got, and how many others have, if that is theirs."""

    type: type[Any]
    gets: Mapping[str, _Get]
    is_sized: bool


def rows_of(source: Iterable[Any], positions: Sequence[str]) -> Records:
    """Take records one after the other; *positions* are the names of the fields of those that are plain tuples."""
    rows = iter(source)
    first = list(islice(rows, 1))
    kind = _kind_of(first, positions)
    held = isinstance(source, list | tuple)
    total = len(source) if isinstance(source, Sequence) else None

    def chunks(wanted: pa.Schema) -> Iterator[Chunk]:
        every, done = chain(first, rows), 0
        while taken := list(islice(every, HELD_ROWS if held else CHUNK_ROWS)):
            yield _chunk(kind, wanted, taken, done)
            done += len(taken)

    return Records(_schema(kind), chunks, total, is_values=True, is_held=held)


async def rows_of_async(source: AsyncIterable[Any], positions: Sequence[str]) -> Records:
    """Take records as they come."""
    rows = aiter(source)
    first = [each async for each in _few(rows, 1)]
    kind = _kind_of(first, positions)

    async def chunks(wanted: pa.Schema) -> AsyncIterator[Chunk]:
        taken, done = first, 0
        while taken := [*taken, *[each async for each in _few(rows, CHUNK_ROWS - len(taken))]]:
            yield _chunk(kind, wanted, taken, done)
            done, taken = done + len(taken), []

    return Records(_schema(kind), chunks, is_values=True)


async def _few(rows: AsyncIterator[Any], most: int) -> AsyncIterator[Any]:
    while most > 0:
        try:
            yield await anext(rows)
        except StopAsyncIteration:
            return
        most -= 1


def _schema(kind: _Kind) -> pa.Schema:
    return pa.schema([(name, pa.null()) for name in kind.gets])


def _kind_of(first: Sequence[Any], positions: Sequence[str]) -> _Kind:
    if not first:
        return _Kind(tuple, dict.fromkeys(positions, itemgetter(0)), is_sized=True)
    (record,) = first
    kind = type(record)
    gets = _entity_gets(record) or _attribute_gets(record)
    if gets is not None:
        return _Kind(kind, gets, is_sized=False)
    if isinstance(record, Mapping):
        return _Kind(kind, {str(name): itemgetter(name) for name in record}, is_sized=True)
    if not isinstance(record, tuple | list):
        raise CopyError(
            f"record 1 is a {kind.__name__}: give tuples, mappings, dataclasses, structs, models or entities."
        )
    names = getattr(record, "_fields", positions)
    return _Kind(kind, {name: itemgetter(index) for index, name in enumerate(names)}, is_sized=True)


def _entity_gets(record: Any) -> Mapping[str, _Get] | None:
    """Take what is loaded of an entity, by the columns' names: an attribute would be loaded here, where nothing can."""
    state = inspect(record, raiseerr=False)
    if not isinstance(state, InstanceState):
        return None
    mapped = [each for each in state.mapper.column_attrs if isinstance(each.columns[0], Column)]
    return {each.columns[0].name: partial(_loaded, each.key) for each in mapped if each.key in state.dict}


def _loaded(name: str, entity: Any) -> Any:
    return entity.__dict__[name]


def _attribute_gets(record: Any) -> Mapping[str, _Get] | None:
    if is_dataclass(record) and not isinstance(record, type):
        return {each.name: attrgetter(each.name) for each in fields(record)}
    names = getattr(record, "__struct_fields__", None) or getattr(type(record), "model_fields", None)
    return None if names is None else {name: attrgetter(name) for name in names}


def _chunk(kind: _Kind, wanted: pa.Schema, taken: list[Any], done: int) -> Chunk:
    numbers = range(done + 1, done + 1 + len(taken))
    gets = [kind.gets[name] for name in wanted.names]
    try:
        if _is_alike(kind, taken):
            return Chunk([list(map(get, taken)) for get in gets], numbers)
    except (AttributeError, KeyError):
        pass  # a field that one of them lacks
    faults = {index: fault for index, row in enumerate(taken) if (fault := _fault(kind, row))}
    broken = [Broken(numbers[index], fault, line=type(taken[index]).__name__) for index, fault in faults.items()]
    whole = [row for index, row in enumerate(taken) if index not in faults]
    return Chunk([list(map(get, whole)) for get in gets], [n for i, n in enumerate(numbers) if i not in faults], broken)


def _is_alike(kind: _Kind, taken: Sequence[Any]) -> bool:
    if set(map(type, taken)) != {kind.type}:
        return False
    return not kind.is_sized or set(map(len, taken)) == {len(kind.gets)}


def _fault(kind: _Kind, record: Any) -> str | None:
    if type(record) is not kind.type:
        return f"a {type(record).__name__} in the place of a {kind.type.__name__}"
    if isinstance(record, tuple | list) and len(record) != len(kind.gets):
        return f"{len(record)} fields in the place of {len(kind.gets)}"
    for name, get in kind.gets.items():
        try:
            get(record)
        except (AttributeError, KeyError):
            return f"no field {name!r}"
    more = set(map(str, record)).difference(kind.gets) if isinstance(record, Mapping) else ()
    return f"a field {min(more)!r} that the first record lacks" if more else None
