"""A source, fitted and encoded for one COPY after another: while a piece is being sent, a thread makes the next."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from functools import partial
from typing import Final, NamedTuple

import pyarrow as pa

from dal.copy.beside import Beside, Here
from dal.copy.encoding import Encoder, encoder_of
from dal.copy.fitting import Fitted, fitted
from dal.copy.plan import CopyPlan
from dal.copy.publishing import RECORD
from dal.copy.records import CHUNK_ROWS, Chunk, Records
from dal.copy.values import pc

# The numbers of a chunk, to be added to.
_COUNTED: Final = pa.array(range(CHUNK_ROWS), pa.int64())


# So many records of texts are kept until they are sent.
ODD_EACH: Final = 16_384


class Piece(NamedTuple):
    """What is sent next, maybe nothing; of which records; and whether the COPY ends with it."""

    data: bytes
    fitted: Fitted | None
    is_end: bool = False


class Stream:
    """The pieces of a source; each COPY has *rows_each* records, and what is left of a chunk, or all of them.

    It ends early, too, where so many are odd that no more of them should be held.

    With *numbered*, each record has its number as a last column. Two chunks are in memory at a time. A cancelled task
    waits for the thread: the source must not be closed under it.
    """

    def __init__(
        self, plan: CopyPlan, records: Records, *, rows_each: int | None = None, numbered: bool = False
    ) -> None:
        self._plan = plan
        self._more = (pa.field(RECORD, pa.int64()),) if numbered else ()
        self._chunks = records.chunks(plan.wanted)
        self._rows_each = rows_each
        # What is in memory is made of Python's values under Python's lock: a thread would only wait for it.
        self._is_held = records.is_held
        self._rows = self._odd = 0
        self._is_begun = False
        self._encoder: Encoder | None = None

    async def pieces(self) -> AsyncGenerator[Piece]:
        """Give the pieces; the last one ends a COPY, also of a source without records."""
        async with Here() if self._is_held else Beside() as thread:
            await self._begin(thread)
            while (made := await thread.last()) is not None:
                await self._begin(thread)
                for piece in made:
                    yield piece

    async def _begin(self, thread: Beside | Here) -> None:
        """Have the next chunk made into pieces."""
        if isinstance(self._chunks, AsyncIterator):
            chunk = await anext(self._chunks, None)
            await thread.begin(partial(self._made, chunk))
        else:
            await thread.begin(partial(self._next, self._chunks))

    def _next(self, chunks: Iterator[Chunk]) -> list[Piece] | None:
        return self._made(next(chunks, None))

    def _made(self, chunk: Chunk | None) -> list[Piece] | None:
        if chunk is None:
            return [*self._begun(), self._end()] if self._encoder or not self._is_begun else None
        found = fitted(self._plan, chunk)
        made = self._begun()
        assert self._encoder is not None  # noqa: S101 # it was begun
        batch = with_numbers(found) if self._more else found.batch
        made.append(Piece(self._encoder.write(batch), found))
        self._odd += len(found.odd)
        self._rows += found.batch.num_rows + len(found.odd) + len(found.broken)
        is_full = self._rows_each is not None and self._rows >= self._rows_each
        if is_full or self._odd >= ODD_EACH:
            made.append(self._end())
        return made

    def _begun(self) -> list[Piece]:
        if self._encoder is not None:
            return []
        self._is_begun, self._encoder = True, encoder_of(self._plan, self._more)
        return [Piece(self._encoder.begin(), None)]

    def _end(self) -> Piece:
        assert self._encoder is not None  # noqa: S101 # something was begun
        data, self._encoder, self._rows, self._odd = self._encoder.end(), None, 0, 0
        return Piece(data, None, is_end=True)


async def up_to_end(first: Piece, rest: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    """Give the pieces of one COPY."""
    yield first
    if not first.is_end:
        async for piece in rest:
            yield piece
            if piece.is_end:
                return


def with_numbers(found: Fitted) -> pa.RecordBatch:
    """Give the records with their numbers."""
    numbers = found.numbers
    if isinstance(numbers, range):
        given = pc.add(_COUNTED.slice(0, len(numbers)), pa.scalar(numbers.start, pa.int64()))
    else:
        given = pa.array(numbers, pa.int64())
    return found.batch.append_column(RECORD, given)
