"""What COPY sends in its text form, block by block, into Arrow's record batches.

Its text form and not CSV: every line is a record there, wherever the network has cut. Pure.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
from pyarrow import csv

from dal.copy.out.lists import Listed
from dal.copy.out.wire import Parsed, Unfit, Wire, digits_of, wire_of
from dal.errors import CopyError

_PARSING: Final = csv.ParseOptions(
    delimiter="\t", quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False
)


class Column(NamedTuple):
    """A column of what is read: its name, the server's name of its type, and whether it is an array of that.

    The type is None if it is none of pg_catalog; *selected* is SQLAlchemy's, where it is known.
    """

    name: str
    type: str | None
    is_array: bool
    selected: Any


class Batches:
    """Makes record batches of what `projection` asks for."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self._wires = [_wire_of(column) for column in columns]
        self.schema = pa.schema([pa.field(*each) for each in zip(self._names, self._types, strict=True)])

    @property
    def _types(self) -> list[pa.DataType]:
        return [wire.type for wire in self._wires]

    def projection(self, columns: Sequence[str]) -> str:
        """Give the expressions to select of *columns*, which are the columns' names in SQL."""
        return ", ".join(wire.sent.format(column) for wire, column in zip(self._wires, columns, strict=True))

    def batch(self, block: bytes) -> pa.RecordBatch:
        """Make a batch of whole lines; raises `CopyError` for a value that Arrow has no form for."""
        try:
            read = self._read(block, [wire.read for wire in self._wires])
        except pa.ArrowInvalid as error:
            raise self._misfit(block) from error
        arrays = [self._array(place, column) for place, column in enumerate(read.columns)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _array(self, place: int, column: pa.Array) -> pa.Array:
        try:
            return self._wires[place].array(column)
        except Unfit as error:
            raise self._refusal(place, error) from error

    def _read(self, block: bytes, types: Sequence[pa.DataType]) -> pa.RecordBatch:
        names = [str(place) for place in range(len(types))]
        reading = csv.ReadOptions(use_threads=False, block_size=len(block) + 4, column_names=names)
        converting = csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=["\\N"],
            strings_can_be_null=True,
            true_values=["t"],
            false_values=["f"],
        )
        # The mark that a text may begin with is taken off once; a value may begin with it too.
        table = csv.read_csv(pa.BufferReader(codecs.BOM_UTF8 + block), reading, _PARSING, converting)
        return table.combine_chunks().to_batches()[0]

    def _misfit(self, block: bytes) -> CopyError:
        """Find the column that could not be parsed: Arrow's own words of it hold the value."""
        try:
            texts = self._read(block, [pa.string()] * len(self._wires))
        except pa.ArrowInvalid:
            return CopyError("the server sent bytes that are no UTF-8: nothing was written. Is its encoding SQL_ASCII?")
        for place, wire in enumerate(self._wires):
            if isinstance(wire, Parsed) and pa.types.is_decimal(wire.type):
                try:
                    wire.parse(texts.column(place))
                except Unfit as error:
                    return self._refusal(place, error)
        raise AssertionError("whole numbers and booleans of the server's are always parsed")  # pragma: no cover

    def _refusal(self, place: int, error: Unfit) -> CopyError:
        return CopyError(f"column {self._names[place]!r} holds {error}. Nothing was written.")


def _wire_of(column: Column) -> Wire:
    wire = wire_of(column.type, digits_of(column.selected))
    return Listed(wire) if column.is_array else wire
