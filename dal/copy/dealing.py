"""A source dealt out in parts, to several who load them at once, and the order in which they publish.

Refuses: knowing tables and servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import pyarrow as pa

from dal.copy.beside import Beside
from dal.copy.records import Chunk, Records


@dataclass(frozen=True, slots=True)
class Part:
    """So many records in memory, as a source of their own: the part's number, from 0, and that of its last record."""

    number: int
    last_record: int
    records: Records


class Dealer:
    """Deals parts of *rows_each* records, or a chunk more; who asks while another is served waits.

    The source is read in *thread*, which must have ended before it is closed.
    """

    def __init__(self, records: Records, wanted: pa.Schema, rows_each: int, thread: Beside) -> None:
        self._records, self._rows_each, self._thread = records, rows_each, thread
        self._chunks = records.chunks(wanted)
        self._turn = asyncio.Lock()
        self.dealt = 0

    async def next(self) -> Part | None:
        """Deal the next part; None if there is none."""
        async with self._turn:
            chunks = await self._drawn()
            if not chunks:
                return None
            number, self.dealt = self.dealt, self.dealt + 1
        last = max(_last_of(each) for each in chunks)
        return Part(number, last, replace(self._records, chunks=lambda _: iter(chunks)))

    async def _drawn(self) -> Sequence[Chunk]:
        if isinstance(self._chunks, AsyncIterator):
            return await _some_async(self._chunks, self._rows_each)
        await self._thread.begin(partial(_some, self._chunks, self._rows_each))
        drawn: Sequence[Chunk] = await self._thread.last()
        return drawn


def _some(chunks: Iterator[Chunk], rows_each: int) -> Sequence[Chunk]:
    drawn, rows = list[Chunk](), 0
    while rows < rows_each and (chunk := next(chunks, None)) is not None:
        drawn.append(chunk)
        rows += len(chunk.numbers) + len(chunk.broken)
    return drawn


async def _some_async(chunks: AsyncIterator[Chunk], rows_each: int) -> Sequence[Chunk]:
    drawn, rows = list[Chunk](), 0
    while rows < rows_each and (chunk := await anext(chunks, None)) is not None:
        drawn.append(chunk)
        rows += len(chunk.numbers) + len(chunk.broken)
    return drawn


def _last_of(chunk: Chunk) -> int:
    return max([*chunk.numbers[-1:], *(each.number for each in chunk.broken)], default=0)


class TurnLost(Exception):
    """A part before has failed: this one must not be published."""


class Turns:
    """Lets one part after the other go on, by number; if one fails, those before it do, and none after it."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._failed: float = inf
        self._done = 0
        self._changed = asyncio.Condition()

    async def wait(self, number: int) -> None:
        """Wait until all before have ended; raises `TurnLost` if one of them has failed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._done == number or self._failed < number)
        if self._failed < number:
            raise TurnLost

    async def end(self) -> None:
        """Let the next one go on."""
        async with self._changed:
            self._done += 1
            self._changed.notify_all()

    async def fail(self, number: int, error: Exception) -> None:
        """Let none after *number* go on, because of *error*; the one of the first that fails is kept."""
        async with self._changed:
            if number < self._failed:
                self._failed, self.error = number, error
            self._changed.notify_all()
