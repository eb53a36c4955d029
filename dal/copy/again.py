"""Records that were kept, to be sent once more: to a staging table with their numbers, as they were or as texts.

Pure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa

from dal.copy.encoding import encoder_of, text_encoder
from dal.copy.fitting import Fitted, Odd
from dal.copy.plan import CopyPlan, Slot
from dal.copy.publishing import RECORD
from dal.copy.records import CHUNK_ROWS
from dal.copy.stream import Piece, with_numbers
from dal.copy.texts import text_of


async def sent_again(plan: CopyPlan, kept: Sequence[Fitted]) -> AsyncIterator[Piece]:
    """Give what was sent, with the records' numbers."""
    encoder = encoder_of(plan, [pa.field(RECORD, pa.int64())])
    yield Piece(encoder.begin(), None)
    for each in kept:
        yield Piece(encoder.write(with_numbers(each)), None)
    yield Piece(encoder.end(), None, is_end=True)


async def texts_again(texts: Sequence[Odd]) -> AsyncIterator[Piece]:
    """Give records of texts, with their numbers."""
    encoder = text_encoder()
    for start in range(0, len(texts), CHUNK_ROWS):
        some = texts[start : start + CHUNK_ROWS]
        columns = [pa.array(column, pa.string()) for column in zip(*(each.texts for each in some), strict=True)]
        numbers = pa.array([each.number for each in some], pa.int64())
        names = [str(index) for index in range(len(columns) + 1)]
        yield Piece(encoder.write(pa.RecordBatch.from_arrays([*columns, numbers], names=names)), None)
    yield Piece(encoder.end(), None, is_end=True)


def as_texts(plan: CopyPlan, kept: Sequence[Fitted]) -> list[Odd]:
    """Turn what was sent into texts."""
    return [odd for each in kept for odd in _odd(plan, each)]


def _odd(plan: CopyPlan, one: Fitted) -> Iterator[Odd]:
    columns = [_texts(slot, array) for slot, array in zip(plan.filled, one.batch.columns, strict=True)]
    for number, texts in zip(one.numbers, zip(*columns, strict=True), strict=True):
        yield Odd(number, texts)


def _texts(slot: Slot, array: pa.Array) -> list[str | None]:
    values: list[Any] = array.to_pylist()
    if slot.target == pa.binary(16):
        values = [each and UUID(bytes=each) for each in values]
    return [text_of(each, slot.kind.type) for each in values]
