"""What is left of a source behind the records that are settled."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pyarrow as pa

from dal.copy.records import Chunk, Records


def rest_of(records: Records, done: int) -> Records:
    """Leave out the first *done* records."""

    def rest(wanted: pa.Schema) -> Iterator[Chunk] | AsyncIterator[Chunk]:
        given = records.chunks(wanted)
        if isinstance(given, AsyncIterator):
            return _rest_async(given, done)
        return (left for each in given if (left := _left(each, done)) is not None)

    return replace(records, chunks=rest) if done else records


async def _rest_async(given: AsyncIterator[Chunk], done: int) -> AsyncIterator[Chunk]:
    async for each in given:
        left = _left(each, done)
        if left is not None:
            yield left


def _left(chunk: Chunk, done: int) -> Chunk | None:
    broken = [each for each in chunk.broken if each.number > done]
    at = bisect_right(chunk.numbers, done)
    if at == len(chunk.numbers) and not broken:
        return None
    batch = [each[at:] for each in chunk.batch] if isinstance(chunk.batch, list) else chunk.batch.slice(at)
    return Chunk(batch, chunk.numbers[at:], broken, chunk.end_bytes)
