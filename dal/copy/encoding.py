"""How batches of a plan are written for COPY: in its binary format, or, where a column has none, as CSV.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import LargeStringEncoderBuilder, StringEncoderBuilder, StringViewEncoderBuilder
from pgpq.schema import Jsonb
from pyarrow import csv
from sqlalchemy.dialects import postgresql

from dal.copy.plan import CopyPlan

Format: TypeAlias = Literal["binary", "csv"]


class Encoder(NamedTuple):
    """The format's name, and what is sent before, for each batch, and at the end; it serves one COPY."""

    format: Format
    begin: Callable[[], bytes]
    write: Callable[[pa.RecordBatch], bytes]
    end: Callable[[], bytes]


def encoder_of(plan: CopyPlan, more: Sequence[pa.Field] = ()) -> Encoder:
    """Make a fresh encoder, of batches that may have *more* columns than the plan."""
    schema = pa.schema([*plan.schema, *more])
    if plan.is_text:
        return text_encoder()
    json = {slot.column.name for slot in plan.filled if isinstance(slot.kind.type, postgresql.JSONB)}
    builders = {field.name: _builder(field, is_json=field.name in json) for field in schema}
    binary = ArrowToPostgresBinaryEncoder.new_with_encoders(schema, builders)
    return Encoder("binary", binary.write_header, binary.write_batch, binary.finish)


def text_encoder() -> Encoder:
    """Make an encoder of texts."""
    return Encoder("csv", bytes, _csv, bytes)


_OPTIONS = csv.WriteOptions(include_header=False, quoting_style="needed")


def _csv(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    csv.write_csv(batch, sink, _OPTIONS)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return] # pyarrow ships no types


def _builder(field: pa.Field, *, is_json: bool) -> Any:
    if not is_json:
        return ArrowToPostgresBinaryEncoder.infer_encoder(field)
    if pa.types.is_string_view(field.type):
        return StringViewEncoderBuilder.new_with_output(field, Jsonb())
    if pa.types.is_large_string(field.type):
        return LargeStringEncoderBuilder.new_with_output(field, Jsonb())
    return StringEncoderBuilder.new_with_output(field, Jsonb())
