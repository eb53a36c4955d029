"""One binary COPY inside a session's transaction, encoded by pgpq beside the sending."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.plan import CopyPlan, plan_copy
from dal.copy.source import Records, Source, open_source
from dal.session import driver_in_transaction


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load has come; `total_rows` is None for a stream that does not know its length."""

    rows: int
    total_rows: int | None
    sent_bytes: int


OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a load did: rows as the server counted them, and bytes as they were sent."""

    rows: int
    sent_bytes: int
    seconds: float

    @property
    def rows_per_s(self) -> float:
        """The speed of the whole load, opening the source included."""
        return self.rows / self.seconds if self.seconds else 0.0


async def copy_in(
    session: AsyncSession,
    table: Table,
    source: Source,
    *,
    rename: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> CopyReport:
    """Stream *source* into *table* with one binary COPY, in the session's transaction.

    Columns are matched by name, after *rename*. Nothing is visible to others until the caller commits. One bad record
    fails the whole COPY, back to a savepoint of its own: the caller's transaction goes on as if it had not been tried.
    Memory stays flat: two chunks of `CHUNK_ROWS` at a time. Raises `CopyError` when the records do not fit, and the
    errors of the server.
    """
    started = time.perf_counter()
    with open_source(source) as records:
        plan = plan_copy(table, records.schema, rename)
        sender = _Sender(plan, records, on_progress)
        async with (
            session.begin_nested(),
            driver_in_transaction(session) as driver,
            aclosing(sender.chunks(driver)) as chunks,
        ):
            tag = await driver.copy_to_table(
                table.name, schema_name=table.schema, columns=plan.schema.names, source=chunks, format="binary"
            )
    return CopyReport(int(tag.removeprefix("COPY ")), sender.sent_bytes, time.perf_counter() - started)


class _Sender:
    """The stream of one COPY: while one chunk is being sent, a thread encodes the next."""

    def __init__(self, plan: CopyPlan, records: Records, on_progress: OnProgress | None) -> None:
        self.sent_bytes = 0
        self._plan = plan
        self._records = records
        self._on_progress = on_progress

    async def chunks(self, driver: asyncpg.Connection) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        encoded = self._encoded()
        # Leaving the block waits for the chunk in hand: the source must not be closed under the thread.
        with ThreadPoolExecutor(1, thread_name_prefix="dal-copy") as thread:
            ahead = loop.run_in_executor(thread, next, encoded, None)
            # A lost connection takes writes as if nothing were amiss: without the look at it, the whole source would
            # be sent into a closed socket before anybody knew.
            while (item := await ahead) is not None and not driver.is_closed():
                ahead = loop.run_in_executor(thread, next, encoded, None)
                rows, chunk = item
                yield chunk
                self._count(rows, chunk)

    def _encoded(self) -> Iterator[tuple[int, bytes]]:
        encoder = self._plan.encoder()
        rows = 0
        yield rows, encoder.write_header()
        for batch in self._records.batches(self._plan.source):
            rows += batch.num_rows
            yield rows, encoder.write_batch(self._plan.fit(batch))
        yield rows, encoder.finish()

    def _count(self, rows: int, chunk: bytes) -> None:
        self.sent_bytes += len(chunk)
        if self._on_progress is not None:
            self._on_progress(Progress(rows, self._records.total_rows, self.sent_bytes))
