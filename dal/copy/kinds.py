"""Which Arrow type is sent into a column of which of SQLAlchemy's types, and what fits into it.

Pure. Refuses: types of the application's in files, whose `process_bind_param` takes Python's values only.

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
| arrays                     | list of what the elements are       | list, tuple, set             | text              |
| all others                 | string, as text                     | as text                      | text              |

"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pyarrow as pa
from sqlalchemy import Column, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from dal.copy.values import is_list

# Of a decimal128; pgpq encodes none that is wider.
MOST_DIGITS: Final = 38

# What an Arrow type becomes so that its bytes are those the column expects; None when it does not fit.
_Fit: TypeAlias = Callable[[Any, pa.DataType], pa.DataType | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column is on PostgreSQL, whatever the application made of it.

    *type* is SQLAlchemy's, and no decorator, *process* what a value goes through on its way in, where that is more than
    to hand it on, *application* the name of the application's type, if it is one, and *item* what an array is of.
    """

    type: Any
    process: Callable[[Any], Any] | None = None
    application: str | None = None
    item: Kind | None = None

    @property
    def arrow(self) -> pa.DataType | None:
        """The Arrow type whose values are encoded as those of the column; None if there is none."""
        return next((of(self.type) for each, of in _OWN if isinstance(self.type, each)), None)

    @property
    def wire(self) -> frozenset[str]:
        """The server's types that read the bytes of `arrow` as they are meant; `text` and `enum` are all of a kind."""
        if isinstance(self.type, types.DateTime) and self.type.timezone:
            return frozenset({"timestamptz"})
        if isinstance(self.type, types.Float):
            return frozenset({"float8" if is_wide(self.type) else "float4"})
        if isinstance(self.type, types.Uuid):
            return frozenset({"uuid" if self.type.native_uuid else "text"})
        return next((names for each, names in _WIRE if isinstance(self.type, each)), frozenset())

    def fitted(self, given: pa.DataType) -> pa.DataType | None:
        """Give what a column of the records, of the type *given*, becomes; None where it does not fit."""
        return next((fit(self.type, given) for each, fit in _FITS if isinstance(self.type, each)), None)

    def takes_as_text(self, given: pa.DataType) -> bool:
        """Tell whether a column of the records that is not *fitted* can go as text: words, or lists for an array."""
        if self.item is not None and (pa.types.is_list(given) or pa.types.is_large_list(given)):
            return self.item.takes(given.value_type)
        return self.arrow is None and is_words(given)

    def takes(self, given: pa.DataType) -> bool:
        """Tell whether the column takes one of the records that is of the type *given*."""
        if self.application:
            return False
        return pa.types.is_null(given) or self.fitted(given) is not None or self.takes_as_text(given)


def kind_of(column: Column[Any], dialect: Dialect) -> Kind:
    """Find what *column* is: variants, decorators and what stands in for a native type are all resolved."""
    return _resolved(column.type, dialect)


def _resolved(kind: Any, dialect: Dialect) -> Kind:
    found = kind.dialect_impl(dialect)
    own = found
    while isinstance(own, types.TypeDecorator):
        own = own.impl_instance.dialect_impl(dialect)
    # All floats look the same to the driver.
    if isinstance(own, types.Float) and _spelt(kind) == "real":
        own = types.REAL()
    item = _resolved(own.item_type, dialect) if isinstance(own, types.ARRAY) else None
    is_applications = isinstance(found, types.TypeDecorator)
    return Kind(own, _processor(found, dialect), type(found).__name__ if is_applications else None, item)


def spelt(column: Column[Any]) -> str:
    """Give the type of a column as SQL has it."""
    return _spelt(column.type)


def _spelt(kind: Any) -> str:
    text: str = kind.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call] # SQLAlchemy's
    return text.lower()


def is_wide(kind: types.Float[Any]) -> bool:
    """Tell a double precision from a real."""
    return not isinstance(kind, types.REAL) and (kind.precision or 53) > 24  # noqa: PLR2004 # bits of a real


def is_words(given: pa.DataType) -> bool:
    """Tell whether the records have texts there."""
    kind = given.value_type if pa.types.is_dictionary(given) else given
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _processor(found: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    is_text = isinstance(found, types.Uuid) and not found.native_uuid
    if not (is_text or isinstance(found, types.TypeDecorator | types.Enum | types.JSON | types.ARRAY)):
        return None
    process: Callable[[Any], Any] | None = found.bind_processor(dialect)
    if process is None or not isinstance(found, types.ARRAY):
        return process
    # It would take a text, or bytes, apart.
    return lambda value: process(value) if is_list(value) else value


def _integer(bits: pa.DataType) -> _Fit:
    return lambda _, given: bits if pa.types.is_integer(given) else None


def _float(column_type: types.Float[Any], given: pa.DataType) -> pa.DataType | None:
    wide = is_wide(column_type)
    if pa.types.is_floating(given) and given.bit_width <= (64 if wide else 32):
        return pa.float64() if wide else pa.float32()
    return None


def _numeric(column_type: types.Numeric[Any], given: pa.DataType) -> pa.DataType | None:
    if not pa.types.is_decimal(given):
        return None
    if column_type.precision is not None and column_type.precision <= MOST_DIGITS:
        return _decimal(column_type)
    # A numeric without bounds, or with wide ones, takes what can be encoded as it is.
    fits = given.precision <= MOST_DIGITS and (column_type.scale is None or given.scale <= column_type.scale)
    return given if fits else None


def _decimal(kind: types.Numeric[Any]) -> pa.DataType | None:
    return pa.decimal128(kind.precision, kind.scale or 0) if (kind.precision or 0) <= MOST_DIGITS else None


def _string(_: Any, given: pa.DataType) -> pa.DataType | None:
    if not is_words(given):
        return None
    return given.value_type if pa.types.is_dictionary(given) else given


def _timestamp(column_type: types.DateTime, given: pa.DataType) -> pa.DataType | None:
    if not pa.types.is_timestamp(given) or bool(given.tz) != bool(column_type.timezone):
        return None
    return pa.timestamp("us", "UTC" if given.tz else None)


def _binary(_: Any, given: pa.DataType) -> pa.DataType | None:
    return given if pa.types.is_binary(given) or pa.types.is_large_binary(given) else None


def _same(is_kind: Callable[[pa.DataType], bool], target: pa.DataType) -> _Fit:
    return lambda _, given: target if is_kind(given) else None


def _uuid(column_type: types.Uuid[Any], given: pa.DataType) -> pa.DataType | None:
    if not column_type.native_uuid:
        return _string(column_type, given)
    return given if given == pa.binary(16) else None


def _time(column_type: types.Time, given: pa.DataType) -> pa.DataType | None:
    return pa.time64("us") if pa.types.is_time(given) and not column_type.timezone else None


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
    (types.Time, _time),
    (postgresql.INTERVAL, _same(pa.types.is_duration, pa.duration("us"))),
    (types.Uuid, _uuid),
    (types.LargeBinary, _binary),
)


# Of a type, what is sent of texts and of Python's values.
_OWN: tuple[tuple[type[Any], Callable[[Any], pa.DataType | None]], ...] = (
    (types.SmallInteger, lambda _: pa.int16()),
    (types.BigInteger, lambda _: pa.int64()),
    (types.Integer, lambda _: pa.int32()),
    (types.Float, lambda kind: pa.float64() if is_wide(kind) else pa.float32()),
    (types.Numeric, lambda kind: _decimal(kind) if kind.precision else None),
    (types.String, lambda _: pa.string()),
    (types.JSON, lambda _: pa.string()),
    (types.Boolean, lambda _: pa.bool_()),
    (types.DateTime, lambda kind: pa.timestamp("us", "UTC" if kind.timezone else None)),
    (types.Date, lambda _: pa.date32()),
    (types.Time, lambda kind: None if kind.timezone else pa.time64("us")),
    (postgresql.INTERVAL, lambda _: pa.duration("us")),
    (types.Uuid, lambda kind: pa.binary(16) if kind.native_uuid else pa.string()),
    (types.LargeBinary, lambda _: pa.binary()),
)

# What the server has to call the type of a column for that.
_WIRE: tuple[tuple[type[Any], frozenset[str]], ...] = (
    (types.SmallInteger, frozenset({"int2"})),
    (types.BigInteger, frozenset({"int8"})),
    (types.Integer, frozenset({"int4"})),
    (types.Numeric, frozenset({"numeric"})),
    (types.String, frozenset({"text", "enum", "json"})),
    (postgresql.JSONB, frozenset({"jsonb"})),
    (types.JSON, frozenset({"json"})),
    (types.Boolean, frozenset({"bool"})),
    (types.DateTime, frozenset({"timestamp"})),
    (types.Date, frozenset({"date"})),
    (types.Time, frozenset({"time"})),
    (postgresql.INTERVAL, frozenset({"interval"})),
    (types.LargeBinary, frozenset({"bytea"})),
)
