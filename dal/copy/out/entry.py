"""Rows out of a database by COPY: into a file, into a stream, or as Arrow's record batches.

Refuses: running anything but a SELECT.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeAlias

import pyarrow as pa

from dal.copy.beside import Beside
from dal.copy.out.batches import Batches
from dal.copy.out.files import Target, opened
from dal.copy.out.forms import IN_ARROW, Form, form_of, in_arrow, writer_of
from dal.copy.out.reading import Reading, What, reading
from dal.copy.out.sending import TakerFailed, takers_error
from dal.projection import ProjectionSource


@dataclass(frozen=True, slots=True)
class CopyOutProgress:
    """How far it has come: rows that were read, and bytes that were written."""

    rows: int
    bytes: int


OnCopyOutProgress: TypeAlias = Callable[[CopyOutProgress], None]


@dataclass(frozen=True, slots=True)
class CopyOutReport:
    """What was written: rows as the server counted them, and bytes as they are in the target."""

    rows: int
    bytes: int
    seconds: float

    @property
    def rows_per_s(self) -> float:
        """The speed of the whole, with opening and closing."""
        return self.rows / self.seconds if self.seconds else 0.0


async def copy_out(
    source: ProjectionSource,
    what: What,
    target: Target,
    *,
    form: Form | None = None,
    on_progress: OnCopyOutProgress | None = None,
) -> CopyOutReport:
    """Write what *what* selects into *target* by one COPY, in the form that the suffix or *form* says.

    A file is there whole when this returns, on the disk, and as it was before if it raises or is cancelled. An open
    stream is written to in a thread, stays open, and may have a part. Memory stays flat, a row group of Parquet at the
    most, and the server waits for the disk. In a unit of work its own changes are seen, and nothing else can be done
    meanwhile. Five round trips, one or two more for parameters. A cancellation waits for the server to end the COPY,
    five seconds at the most. Raises `CopyError`, and the errors of the server and the disk.
    """
    started = time.perf_counter()
    form = form_of(target, form)
    with takers_error(), opened(target) as sink:
        async with Beside() as thread:
            async with reading(source, what) as read:
                writer = writer_of(form, read.columns, sink)

                async def take(block: bytes) -> None:
                    await thread.begin(partial(writer.write, block))
                    if on_progress is not None:
                        on_progress(CopyOutProgress(writer.rows, sink.bytes))

                rows = await read.send(writer.query, writer.options, take, read.noted(writer.query))
            await thread.begin(writer.finish)
            await thread.last()
        if on_progress is not None:
            on_progress(CopyOutProgress(rows, sink.bytes))
    return CopyOutReport(rows, sink.bytes, time.perf_counter() - started)


class ArrowBatches:
    """Record batches of `schema`, as the server sends them; one is read ahead."""

    def __init__(self, read: Reading) -> None:
        self._batches = Batches(read.columns)
        self._query = partial(in_arrow, self._batches)
        self._read, self._note = read, read.noted(self._query)
        self._ready: asyncio.Queue[pa.RecordBatch] = asyncio.Queue(1)
        self._sending = asyncio.create_task(self._send())

    @property
    def schema(self) -> pa.Schema:
        """The columns, known before the first row."""
        return self._batches.schema

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        if self._ready.empty() and not self._sending.done():
            getting = asyncio.ensure_future(self._ready.get())
            try:
                await asyncio.wait({getting, self._sending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                getting.cancel()
            if getting.done() and not getting.cancelled():
                return getting.result()
        if not self._ready.empty():
            return self._ready.get_nowait()
        await self._sending
        raise StopAsyncIteration

    async def close(self) -> bool:
        """End the statement, also in the server; tell whether it had come to its end."""
        self._sending.cancel()
        await asyncio.wait({self._sending})
        return not self._sending.cancelled() and self._sending.exception() is None

    async def _send(self) -> None:
        async with Beside() as thread:

            async def take(block: bytes) -> None:
                await thread.begin(partial(self._batches.batch, block))
                await self._ready.put(await thread.last())

            with takers_error():
                await self._read.send(self._query, IN_ARROW, take, self._note)


@asynccontextmanager
async def copy_batches(source: ProjectionSource, what: What) -> AsyncGenerator[ArrowBatches]:
    """Lend what *what* selects as Arrow's record batches, to be iterated over once, until the end of the block.

    Whatever ends the block ends the statement in the server. The server waits for whoever is slow to take them, in a
    transaction, with its snapshot. Costs what `copy_out` does. Raises `CopyError`.
    """
    with takers_error():
        async with reading(source, what) as read:
            batches = ArrowBatches(read)
            try:
                yield batches
            except Exception as error:
                await batches.close()
                raise TakerFailed(error) from None
            except BaseException:
                await batches.close()
                raise
            if not await batches.close():
                raise TakerFailed(None)  # a savepoint whose statement was cancelled can only be rolled back
