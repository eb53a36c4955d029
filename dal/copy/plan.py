"""Which column of the records goes into which column of the table, and as what.

Pure: from a table, an Arrow schema and names. Refuses: records that would have to be truncated or guessed at.

| table column                  | Arrow column                          |
|-------------------------------|---------------------------------------|
| smallint, integer, bigint     | any integer, checked for overflow     |
| real, double precision        | float of the same or a smaller width  |
| numeric                       | decimal, checked for lost digits      |
| text, varchar, char, enum     | string                                |
| boolean, date, time, interval | the same                              |
| timestamp, timestamptz        | timestamp without, with a time zone   |
| bytea; uuid                   | binary; binary of 16 bytes            |
| json, jsonb                   | string that holds JSON                |
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import LargeStringEncoderBuilder, StringEncoderBuilder, StringViewEncoderBuilder
from pgpq.schema import Jsonb
from sqlalchemy import Column, Table, types
from sqlalchemy.dialects import postgresql

from dal.errors import CopyError

# Of a decimal128; pgpq encodes none that is wider.
_MOST_DIGITS: Final = 38

# What an Arrow type becomes so that its bytes are those the column expects; None when it does not fit.
_Fit: TypeAlias = Callable[[Any, pa.DataType], pa.DataType | None]


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """`source` names the records' columns in the order of `schema`, whose fields are named like the table's."""

    source: list[str]
    schema: pa.Schema
    json: frozenset[str]

    def encoder(self) -> ArrowToPostgresBinaryEncoder:
        """Make a fresh encoder; it serves one COPY."""
        builders = {field.name: _builder(field, is_json=field.name in self.json) for field in self.schema}
        return ArrowToPostgresBinaryEncoder.new_with_encoders(self.schema, builders)

    def fit(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give *batch* the plan's order, names and types; raises `CopyError` for a value that does not fit."""
        named = batch.select(self.source).rename_columns(self.schema.names)
        if named.schema.equals(self.schema):
            return named
        return pa.RecordBatch.from_arrays([self._cast(named, field) for field in self.schema], schema=self.schema)

    def _cast(self, batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
        try:
            return batch.column(field.name).cast(field.type)
        except pa.ArrowInvalid as error:
            # Arrow's own text holds the value.
            raise CopyError(f"column {field.name!r} holds a value that does not fit {field.type}.") from error


def plan_copy(table: Table, schema: pa.Schema, rename: Mapping[str, str] | None = None) -> CopyPlan:
    """Match the records' *schema* with *table* by name; *rename* maps a record's column to the table's.

    Raises one `CopyError` that lists everything that does not fit, before anything is sent.
    """
    names = _names(table, schema, rename or {})
    faults = [*_unknown_names(rename or {}, schema), *_extra(names, table), *_missing(names, table)]
    fields = []
    for column in table.columns:
        if column.name in names:
            given = schema.field(names[column.name]).type
            fitted = _fitted(column, given)
            if fitted is None:
                faults.append(f"column {column.name!r} is {given} in the records and {_sql(column)} in the table")
            else:
                fields.append(pa.field(column.name, fitted))
    if faults:
        raise _misfit(table, faults)
    json = frozenset(column.name for column in table.columns if isinstance(column.type, postgresql.JSONB))
    return CopyPlan([names[f.name] for f in fields], pa.schema(fields), json)


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


def _missing(names: Mapping[str, str], table: Table) -> list[str]:
    faults = []
    for column in table.columns:
        if column.name not in names and not column.nullable and not _server_fills(column):
            faults.append(f"the records lack column {column.name!r}, which must have a value")
        elif column.name not in names and column.default is not None:
            faults.append(f"the records lack column {column.name!r}, whose default is Python's: COPY cannot run it")
    return faults


def _server_fills(column: Column[Any]) -> bool:
    filled = (column.server_default, column.identity, column.computed, column.default)
    return column is column.table.autoincrement_column or any(each is not None for each in filled)


def _integer(bits: pa.DataType) -> _Fit:
    return lambda _, given: bits if pa.types.is_integer(given) else None


def _float(column_type: types.Float[Any], given: pa.DataType) -> pa.DataType | None:
    wide = not isinstance(column_type, types.REAL) and (column_type.precision or 53) > 24  # noqa: PLR2004 # bits of a real
    if pa.types.is_floating(given) and given.bit_width <= (64 if wide else 32):
        return pa.float64() if wide else pa.float32()
    return None


def _numeric(column_type: types.Numeric[Any], given: pa.DataType) -> pa.DataType | None:
    if not pa.types.is_decimal(given):
        return None
    if column_type.precision is not None and column_type.precision <= _MOST_DIGITS:
        return pa.decimal128(column_type.precision, column_type.scale or 0)
    # A numeric without bounds, or with wide ones, takes what can be encoded as it is.
    fits = given.precision <= _MOST_DIGITS and (column_type.scale is None or given.scale <= column_type.scale)
    return given if fits else None


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


def _fitted(column: Column[Any], given: pa.DataType) -> pa.DataType | None:
    for kind, fit in _FITS:
        # Not a TypeDecorator: what it would do to a value on its way in, COPY does not do.
        if isinstance(column.type, kind):
            return fit(column.type, given)
    return None


def _builder(field: pa.Field, *, is_json: bool) -> Any:
    if not is_json:
        return ArrowToPostgresBinaryEncoder.infer_encoder(field)
    if pa.types.is_string_view(field.type):
        return StringViewEncoderBuilder.new_with_output(field, Jsonb())
    if pa.types.is_large_string(field.type):
        return LargeStringEncoderBuilder.new_with_output(field, Jsonb())
    return StringEncoderBuilder.new_with_output(field, Jsonb())


def _sql(column: Column[Any]) -> str:
    return column.type.compile(dialect=postgresql.dialect()).lower()  # type: ignore[no-untyped-call] # SQLAlchemy's
