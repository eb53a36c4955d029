"""Which column of the records goes into which column of the table, and as what.

Pure: from a table, the records' columns and names. Refuses: records that would have to be truncated or guessed at.

What goes into which type is in `dal.copy.kinds`. Binary is what the server takes in fastest. Where one column has to go
as text, all go as text, and the server reads them as it reads a CSV file.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Column, Table, types
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import Dialect

from dal.copy.arrow_values import python_of, value_of
from dal.copy.defaults import Generate, default_of
from dal.copy.kinds import Kind, is_words, kind_of, spelt
from dal.copy.parsing import is_zoned, look_of, parser_of
from dal.copy.records import Records
from dal.copy.text.json_arrays import array_text
from dal.copy.texts import text_of
from dal.copy.values import Make, as_words, maker_of, without_nul
from dal.errors import CopyError

# SQLAlchemy's, as it is without options of the application's.
_DIALECT: Final[Dialect] = asyncpg.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's


@dataclass(frozen=True, slots=True)
class Slot:
    """A column of the table: what it is called in the records, and `make`, which gives an array of `target` of them.

    `make` is given an array, or a list of Python's values, and raises one of `dal.copy.values.MISFITS`. `text` gives
    what PostgreSQL reads one value from, and raises `Misfit` for what must not be loaded; if `is_final`, that is all of
    which `make` makes nothing. Where few are misfits, they are found by the `look` that most values have.
    """

    column: Column[Any]
    kind: Kind
    source: str
    target: pa.DataType
    make: Make
    text: Callable[[Any], str | None]
    is_final: bool = False
    look: str | None = None


@dataclass(frozen=True, slots=True)
class Default:
    """A column that the records lack, and what makes its values."""

    slot: Slot
    generate: Generate


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """The columns that the records have, in the table's order, and those that Python's defaults fill."""

    table: Table
    slots: tuple[Slot, ...]
    defaults: tuple[Default, ...]
    wanted: pa.Schema
    is_text: bool

    @property
    def filled(self) -> list[Slot]:
        """The columns that are loaded, in order."""
        return [*self.slots, *(each.slot for each in self.defaults)]

    @property
    def schema(self) -> pa.Schema:
        """What is sent, called as in the table."""
        return pa.schema([pa.field(slot.column.name, slot.target) for slot in self.filled])


def plan_copy(
    table: Table,
    records: Records,
    rename: Mapping[str, str] | None = None,
    dialect: Dialect = _DIALECT,
    real: Mapping[str, str] | None = None,
) -> CopyPlan:
    """Match the *records* with *table* by name; *rename* maps a record's column to the table's.

    *real* are the server's types of the columns. One that the mapping has otherwise would read other values from the
    same bytes, so it is sent as text.

    Raises one `CopyError` that lists everything that does not fit, before anything is sent.
    """
    names = _names(table, records.schema, rename or {})
    faults = [*_unknown_names(rename or {}, records.schema), *_extra(names, table)]
    defaults = _defaults(table, names, faults)
    fields = {column: records.schema.field(names[column.name]) for column in table.columns if column.name in names}
    kinds = {column: kind_of(column, dialect) for column in (*fields, *defaults)}
    targets = {column: _target(column, kinds[column], field, records, faults) for column, field in fields.items()}
    targets |= {column: kinds[column].arrow for column in defaults}
    if faults:
        raise _misfit(table, faults)
    is_otherwise = any(real and real.get(each.name, "") not in kinds[each].wire for each in targets if targets[each])
    if is_otherwise or None in targets.values():
        targets = dict.fromkeys(targets)
    slots = [_slot(column, kinds[column], field, records, targets[column]) for column, field in fields.items()]
    filled = [Default(_of_values(each, kinds[each], targets[each]), make) for each, make in defaults.items()]
    return CopyPlan(table, tuple(slots), tuple(filled), pa.schema(list(fields.values())), None in targets.values())


def _target(
    column: Column[Any], kind: Kind, field: pa.Field, records: Records, faults: list[str]
) -> pa.DataType | None:
    """Give the Arrow type in which a column is sent; None for text. What does not fit is added to *faults*."""
    given = field.type
    own = kind.arrow
    if records.is_values:
        return own
    if kind.application:
        faults.append(
            f"column {column.name!r} is of the application's {kind.application}, which takes Python's values only"
        )
        return None
    if records.is_text:
        return own if own is not None and parser_of(own, records.formats.get(field.name, ())) else None
    if not kind.takes(given):
        faults.append(f"column {column.name!r} is {given} in the records and {spelt(column)} in the table")
    return own if pa.types.is_null(given) else kind.fitted(given)


def _slot(column: Column[Any], kind: Kind, field: pa.Field, records: Records, target: pa.DataType | None) -> Slot:
    if records.is_values:
        return replace(_of_values(column, kind, target), source=field.name)
    sent, write = target or pa.string(), partial(text_of, kind=kind.type)
    formats = records.formats.get(field.name, ())
    if records.is_text and formats:
        return _of_formats(Slot(column, kind, field.name, sent, _strings, write), formats)
    if records.is_json and kind.item is not None:
        return _of_json(Slot(column, kind, field.name, sent, _strings, write))
    if records.is_text:
        parse = parser_of(sent)
        assert parse is not None  # noqa: S101 # or it would be sent as text
        return Slot(column, kind, field.name, sent, parse, write, look=look_of(sent))
    if target is None:
        return _of_arrow(Slot(column, kind, field.name, sent, _strings, write), field.type)
    make = (lambda given: as_words(given, sent)) if is_words(sent) else (lambda given: given.cast(sent))
    return Slot(column, kind, field.name, sent, make, write, is_final=True)


def _of_values(column: Column[Any], kind: Kind, target: pa.DataType | None) -> Slot:
    write = partial(text_of, kind=kind.type)
    make = partial(_written, write=write) if target is None else maker_of(target)
    plain = Slot(column, kind, column.name, target or pa.string(), make, write)
    process = kind.process
    if process is None:
        return plain
    return replace(
        plain,
        make=lambda values: make([process(each) for each in values]),
        text=lambda value: write(process(value)),
    )


def _of_formats(slot: Slot, formats: Sequence[str]) -> Slot:
    own = slot.kind.arrow or pa.string()
    parse = parser_of(pa.timestamp("us") if is_zoned(own) else own, formats)
    assert parse is not None  # noqa: S101 # there are formats
    return replace(
        slot,
        make=lambda texts: parse(texts).cast(slot.target),
        text=lambda value: parse(pa.array([value], pa.string())).cast(pa.string())[0].as_py(),
    )


def _of_arrow(slot: Slot, given: pa.DataType) -> Slot:
    if is_words(given):
        return replace(slot, make=lambda array: as_words(array, pa.string()))
    kind, write = slot.kind, slot.text
    return replace(
        slot,
        make=lambda array: _written(python_of(array, kind), write),
        text=lambda value: write(value_of(value, kind)),
    )


def _of_json(slot: Slot) -> Slot:
    of_json = slot.kind.item is not None and isinstance(slot.kind.item.type, types.JSON)
    read = partial(array_text, of_json=of_json)
    return replace(
        slot,
        make=lambda texts: _written([each and read(each) for each in texts.to_pylist()], slot.text),
        text=lambda value: value and read(value),
    )


def _strings(given: Any) -> pa.Array:
    return without_nul(given.cast(pa.string()))


def _written(values: Sequence[Any], write: Callable[[Any], str | None]) -> pa.Array:
    return pa.array([write(each) for each in values], pa.string())


def _defaults(table: Table, names: Mapping[str, str], faults: list[str]) -> dict[Column[Any], Generate]:
    found: dict[Column[Any], Generate] = {}
    for column in table.columns:
        if column.name in names:
            continue
        default = default_of(column)
        if isinstance(default, str):
            faults.append(f"the records lack column {column.name!r}, {default}")
        elif default is not None:
            found[column] = default
        elif not column.nullable and not _server_fills(column):
            faults.append(f"the records lack column {column.name!r}, which must have a value")
    return found


def _names(table: Table, schema: pa.Schema, rename: Mapping[str, str]) -> dict[str, str]:
    """Map the table's name for each column of the records to theirs; two of one name cannot be told apart."""
    theirs: list[str] = schema.names
    names = {rename.get(name, name): name for name in theirs}
    if len(names) < len(theirs):
        raise _misfit(table, ["two columns of the records have the same name"])
    return names


def _misfit(table: Table, faults: list[str]) -> CopyError:
    return CopyError(f"the records do not fit table {table.fullname!r}: {'; '.join(faults)}. Nothing was loaded.")


def _unknown_names(rename: Mapping[str, str], schema: pa.Schema) -> list[str]:
    return [f"rename= names {name!r}, which the records do not have" for name in rename if name not in schema.names]


def _extra(names: Mapping[str, str], table: Table) -> list[str]:
    known = [column.name for column in table.columns]
    return [
        f"the records have a column {name!r} that the table lacks{_nearest(name, known)}"
        for name in names
        if name not in known
    ]


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _server_fills(column: Column[Any]) -> bool:
    filled = (column.server_default, column.identity, column.computed)
    return column is column.table.autoincrement_column or any(each is not None for each in filled)
