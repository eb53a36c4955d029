"""Which column of the records goes into which column of the table, and as what.

Pure: from a table, the records' columns and names. Refuses: records that would have to be truncated or guessed at.

| table column               | Arrow column                        | Python's value               | a text is sent as |
|----------------------------|-------------------------------------|------------------------------|-------------------|
| smallint, integer, bigint  | any integer, checked for overflow   | int, a float that is whole   | binary            |
| real, double precision     | float of the same or smaller width  | float, int                   | binary            |
| numeric of up to 38 digits | decimal, checked for lost digits    | Decimal, int                 | binary            |
| numeric without bounds     | decimal                             | as text                      | text              |
| text, varchar, char        | string                              | str                          | binary            |
| enum                       | string, one of the labels           | its member, or the label     | binary            |
| boolean, date              | the same                            | the same                     | binary            |
| time, interval             | the same                            | time, timedelta              | binary, text      |
| timestamp, timestamptz     | timestamp without, with a time zone | datetime without, with one   | binary            |
| bytea, uuid                | binary, binary of 16 bytes          | bytes, UUID                  | text, binary      |
| json, jsonb                | string that holds JSON              | what the serializer takes    | binary            |
| all others                 | string, as text                     | as text                      | text              |

Binary is what the server takes in fastest. Where one column has to go as text, all go as text, and the server reads
them as it reads a CSV file. A type of the application's (`TypeDecorator`) takes Python's values only, through its
`process_bind_param`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa
from sqlalchemy import Column, Table, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import Dialect

from dal.copy.defaults import Generate, default_of
from dal.copy.parsing import look_of, parser_of
from dal.copy.records import Records
from dal.copy.texts import text_of
from dal.copy.values import Make, maker_of, without_nul
from dal.errors import CopyError

# Of a decimal128; pgpq encodes none that is wider.
_MOST_DIGITS: Final = 38

# SQLAlchemy's, as it is without options of the application's.
_DIALECT: Final[Dialect] = asyncpg.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's

# What an Arrow type becomes so that its bytes are those the column expects; None when it does not fit.
_Fit: TypeAlias = Callable[[Any, pa.DataType], pa.DataType | None]


@dataclass(frozen=True, slots=True)
class Slot:
    """A column of the table: what it is called in the records, and `make`, which gives an array of `target` of them.

    `make` is given an array, or a list of Python's values, and raises one of `dal.copy.values.MISFITS`. `text` gives
    what PostgreSQL reads one value from, and raises `Misfit` for what must not be loaded; if `is_final`, that is all of
    which `make` makes nothing. Where few are misfits, they are found by the `look` that most values have.
    """

    column: Column[Any]
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
    table: Table, records: Records, rename: Mapping[str, str] | None = None, dialect: Dialect = _DIALECT
) -> CopyPlan:
    """Match the *records* with *table* by name; *rename* maps a record's column to the table's.

    Raises one `CopyError` that lists everything that does not fit, before anything is sent.
    """
    names = _names(table, records.schema, rename or {})
    faults = [*_unknown_names(rename or {}, records.schema), *_extra(names, table)]
    defaults = _defaults(table, names, faults)
    fields = {column: records.schema.field(names[column.name]) for column in table.columns if column.name in names}
    targets = {column: _target(column, field, records, faults) for column, field in fields.items()}
    targets |= {column: arrow_type(column.type) for column in defaults}
    if faults:
        raise _misfit(table, faults)
    if None in targets.values():
        targets = dict.fromkeys(targets)
    slots = [_slot(column, field, records, targets[column], dialect) for column, field in fields.items()]
    filled = [Default(_of_values(column, targets[column], dialect), make) for column, make in defaults.items()]
    return CopyPlan(table, tuple(slots), tuple(filled), pa.schema(list(fields.values())), None in targets.values())


def _target(column: Column[Any], field: pa.Field, records: Records, faults: list[str]) -> pa.DataType | None:
    """Give the Arrow type in which a column is sent; None for text. What does not fit is added to *faults*."""
    given = field.type
    own = arrow_type(column.type)
    if records.is_values:
        return own
    if _is_applications(column.type):
        kind = type(column.type).__name__
        faults.append(f"column {column.name!r} is of the application's {kind}, which takes Python's values only")
        return None
    if records.is_text:
        return own if own is not None and parser_of(own, records.formats.get(field.name, ())) else None
    fitted = own if pa.types.is_null(given) else _fitted(column, given)
    if fitted is None and not (own is None and _string(None, given)):
        faults.append(f"column {column.name!r} is {given} in the records and {spelt(column)} in the table")
    return fitted


def _slot(column: Column[Any], field: pa.Field, records: Records, target: pa.DataType | None, dialect: Dialect) -> Slot:
    if records.is_values:
        return replace(_of_values(column, target, dialect), source=field.name)
    sent, write = target or pa.string(), partial(text_of, kind=column.type)
    formats = records.formats.get(field.name, ())
    if records.is_text and formats:
        return _of_formats(Slot(column, field.name, sent, _strings, write), formats)
    if records.is_text:
        parse = parser_of(sent)
        assert parse is not None  # noqa: S101 # or it would be sent as text
        return Slot(column, field.name, sent, parse, write, look=look_of(sent))
    if target is None:
        make = _strings if _string(None, field.type) else _texts(write)
        return Slot(column, field.name, sent, make, write)
    is_words = _string(None, sent) is not None
    make = (lambda given: without_nul(given.cast(sent))) if is_words else (lambda given: given.cast(sent))
    return Slot(column, field.name, sent, make, write, is_final=True)


def _of_values(column: Column[Any], target: pa.DataType | None, dialect: Dialect) -> Slot:
    process, write = _processor(column.type, dialect), partial(text_of, kind=column.type)
    make = _texts(write) if target is None else maker_of(target)
    sent = target or pa.string()
    if process is None:
        return Slot(column, column.name, sent, make, write)
    own = process
    return Slot(
        column, column.name, sent, lambda values: make([own(each) for each in values]), lambda value: write(own(value))
    )


def _of_formats(slot: Slot, formats: Sequence[str]) -> Slot:
    own = arrow_type(slot.column.type)
    parse = parser_of(own or pa.string(), formats)
    assert parse is not None  # noqa: S101 # there are formats
    return replace(
        slot,
        make=lambda texts: parse(texts).cast(slot.target),
        text=lambda value: parse(pa.array([value], pa.string())).cast(pa.string())[0].as_py(),
    )


def _strings(given: Any) -> pa.Array:
    return given.cast(pa.string())


def _texts(write: Callable[[Any], str | None]) -> Make:
    def make(values: Any) -> pa.Array:
        own = values.to_pylist() if isinstance(values, pa.Array) else values
        return pa.array([write(each) for each in own], pa.string())

    return make


def _processor(kind: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """Give what the type does to a value on its way in, where that is more than to hand it on."""
    own = _is_applications(kind) or isinstance(kind, types.Enum | types.JSON | types.ARRAY)
    return kind.dialect_impl(dialect).bind_processor(dialect) if own else None


def _is_applications(kind: Any) -> bool:
    return isinstance(kind, types.TypeDecorator) and not isinstance(kind, types.Interval)


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


def _integer(bits: pa.DataType) -> _Fit:
    return lambda _, given: bits if pa.types.is_integer(given) else None


def _float(column_type: types.Float[Any], given: pa.DataType) -> pa.DataType | None:
    wide = _is_wide(column_type)
    if pa.types.is_floating(given) and given.bit_width <= (64 if wide else 32):
        return pa.float64() if wide else pa.float32()
    return None


def _is_wide(kind: types.Float[Any]) -> bool:
    return not isinstance(kind, types.REAL) and (kind.precision or 53) > 24  # noqa: PLR2004 # bits of a real


def _numeric(column_type: types.Numeric[Any], given: pa.DataType) -> pa.DataType | None:
    if not pa.types.is_decimal(given):
        return None
    if column_type.precision is not None and column_type.precision <= _MOST_DIGITS:
        return _decimal(column_type)
    # A numeric without bounds, or with wide ones, takes what can be encoded as it is.
    fits = given.precision <= _MOST_DIGITS and (column_type.scale is None or given.scale <= column_type.scale)
    return given if fits else None


def _decimal(kind: types.Numeric[Any]) -> pa.DataType | None:
    return pa.decimal128(kind.precision, kind.scale or 0) if (kind.precision or 0) <= _MOST_DIGITS else None


def _string(_: Any, given: pa.DataType) -> pa.DataType | None:
    if pa.types.is_dictionary(given):
        given = given.value_type
    known = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
    return given if known else None


def _timestamp(column_type: types.DateTime, given: pa.DataType) -> pa.DataType | None:
    if not pa.types.is_timestamp(given) or bool(given.tz) != bool(column_type.timezone):
        return None
    return pa.timestamp("us", "UTC" if given.tz else None)


def _binary(_: Any, given: pa.DataType) -> pa.DataType | None:
    return given if pa.types.is_binary(given) or pa.types.is_large_binary(given) else None


def _same(is_kind: Callable[[pa.DataType], bool], target: pa.DataType) -> _Fit:
    return lambda _, given: target if is_kind(given) else None


def _uuid(_: Any, given: pa.DataType) -> pa.DataType | None:
    return given if given == pa.binary(16) else None


# Subclasses before their parents: the first match decides.
_FITS: tuple[tuple[type[Any], _Fit], ...] = (
    (types.SmallInteger, _integer(pa.int16())),
    (types.BigInteger, _integer(pa.int64())),
    (types.Integer, _integer(pa.int32())),
    (types.Float, _float),
    (types.Numeric, _numeric),
    (types.String, _string),
    (types.JSON, _string),
    (types.Boolean, _same(pa.types.is_boolean, pa.bool_())),
    (types.DateTime, _timestamp),
    (types.Date, _same(pa.types.is_date, pa.date32())),
    (types.Time, _same(pa.types.is_time, pa.time64("us"))),
    (types.Interval, _same(pa.types.is_duration, pa.duration("us"))),
    (types.Uuid, _uuid),
    (types.LargeBinary, _binary),
)


# Of a type, what is sent of texts and of Python's values.
_OWN: tuple[tuple[type[Any], Callable[[Any], pa.DataType | None]], ...] = (
    (types.SmallInteger, lambda _: pa.int16()),
    (types.BigInteger, lambda _: pa.int64()),
    (types.Integer, lambda _: pa.int32()),
    (types.Float, lambda kind: pa.float64() if _is_wide(kind) else pa.float32()),
    (types.Numeric, lambda kind: _decimal(kind) if kind.precision else None),
    (types.String, lambda _: pa.string()),
    (types.JSON, lambda _: pa.string()),
    (types.Boolean, lambda _: pa.bool_()),
    (types.DateTime, lambda kind: pa.timestamp("us", "UTC" if kind.timezone else None)),
    (types.Date, lambda _: pa.date32()),
    (types.Time, lambda kind: None if kind.timezone else pa.time64("us")),
    (types.Interval, lambda _: pa.duration("us")),
    (types.Uuid, lambda _: pa.binary(16)),
    (types.LargeBinary, lambda _: pa.binary()),
)


def arrow_type(kind: Any) -> pa.DataType | None:
    """Give the Arrow type whose values are encoded as those of the column's *kind*; None if there is none."""
    own = kind.impl_instance if _is_applications(kind) else kind
    return next((of(own) for each, of in _OWN if isinstance(own, each)), None)


def _fitted(column: Column[Any], given: pa.DataType) -> pa.DataType | None:
    for kind, fit in _FITS:
        # Not a TypeDecorator: what it would do to a value on its way in, COPY does not do.
        if isinstance(column.type, kind):
            return fit(column.type, given)
    return None


def spelt(column: Column[Any]) -> str:
    """Give the type of a column as SQL has it."""
    return column.type.compile(dialect=postgresql.dialect()).lower()  # type: ignore[no-untyped-call] # SQLAlchemy's
