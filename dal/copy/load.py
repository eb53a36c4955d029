"""One binary COPY inside a session's transaction, encoded by pgpq beside the sending."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.plan import CopyPlan, plan_copy
from dal.copy.source import Records, Source, open_source
from dal.errors import ConnectionLost
from dal.session import driver_in_transaction
from dal.telemetry import statement_sent


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
            _ended_by_loss(driver),
            aclosing(sender.chunks(driver)) as chunks,
        ):
            with statement_sent(f"COPY {table.fullname} FROM STDIN") as statement:
                tag = await driver.copy_to_table(
                    table.name, schema_name=table.schema, columns=plan.schema.names, source=chunks, format="binary"
                )
                rows = int(tag.removeprefix("COPY "))
                if statement:
                    statement.rows = rows
    return CopyReport(rows, sender.sent_bytes, time.perf_counter() - started)


@asynccontextmanager
async def _ended_by_loss(driver: asyncpg.Connection) -> AsyncGenerator[None]:
    """Raise `ConnectionLost` in the block when the connection ends.

    asyncpg waits for the socket to take more before it sends a chunk, and goes on waiting when the socket is gone.
    """
    task, inside, lost = asyncio.current_task(), True, False

    def interrupt(_: object) -> None:
        nonlocal lost
        if inside and task is not None:
            lost = task.cancel()

    driver.add_termination_listener(interrupt)
    try:
        yield
    except asyncio.CancelledError as error:
        if lost and task is not None and task.uncancel() == 0:
            raise ConnectionLost("the connection ended during the COPY; nothing of it is kept.") from error
        raise
    finally:
        inside = False
        driver.remove_termination_listener(interrupt)


class _Sender:
    """The stream of one COPY: while one chunk is being sent, a thread encodes the next."""

    def __init__(self, plan: CopyPlan, records: Records, on_progress: OnProgress | None) -> None:
        self.sent_bytes = 0
        self._plan = plan
        self._records = records
        self._on_progress = on_progress

    async def chunks(self, driver: asyncpg.Connection) -> AsyncGenerator[bytes]:
        encoded = self._encoded()
        thread = ThreadPoolExecutor(1, thread_name_prefix="dal-copy")
        ahead = thread.submit(next, encoded, None)
        try:
            # A lost connection takes writes as if nothing were amiss: without the look at it, the whole source would
            # be sent into a closed socket before anybody knew.
            while (item := await asyncio.wrap_future(ahead)) is not None and not driver.is_closed():
                ahead = thread.submit(next, encoded, None)
                self.sent_bytes += len(item[1])
                if item[1]:  # the encoder gathers small chunks
                    yield item[1]
                self._tell(item[0])
        finally:
            await _settled(ahead)
            thread.shutdown()

    def _encoded(self) -> Iterator[tuple[int, bytes]]:
        encoder = self._plan.encoder()
        rows = 0
        yield rows, encoder.write_header()
        for batch in self._records.batches(self._plan.source):
            rows += batch.num_rows
            yield rows, encoder.write_batch(self._plan.fit(batch))
        yield rows, encoder.finish()

    def _tell(self, rows: int) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(rows, self._records.total_rows, self.sent_bytes))


async def _settled(ahead: Future[Any]) -> None:
    """Wait for the thread's batch, however often this task is cancelled: the source must not be closed under it."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    ahead.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    cancelled = None
    while not done.is_set():
        try:
            await done.wait()
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
