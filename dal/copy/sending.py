"""One COPY FROM STDIN on the driver's connection, and what is known of it when it fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from dal.copy.encoding import Format
from dal.copy.stream import Piece
from dal.errors import ConnectionLost, DatabaseError
from dal.session import driver_in_transaction
from dal.telemetry import statement_sent

_LINE: Final = re.compile(r"^COPY .*, line (\d+)(?:, column ([^:\n]+))?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Into:
    """What a COPY fills: `name` in `schema` (the search path's, if it is None), these `columns`."""

    name: str
    schema: str | None
    columns: Sequence[str]
    format: Format


async def send(session: AsyncSession, into: Into, pieces: AsyncIterator[Piece], tell: Callable[[Piece], None]) -> int:
    """Send pieces up to the end of one COPY, in the session's transaction; gives the server's count.

    *tell* hears of each piece before it is sent. An error of the server says which record it is of. Raises
    `ConnectionLost` if the connection ends.
    """
    where, sent = "", list[Sequence[int]]()
    try:
        async with driver_in_transaction(session) as driver, _ended_by_loss(driver):
            name = f"{into.schema}.{into.name}" if into.schema else into.name
            sent_text = f"COPY {name} FROM STDIN"
            with statement_sent(sent_text) as statement:
                try:
                    async with aclosing(_data(pieces, driver, into, sent, tell)) as data:
                        tag = await driver.copy_to_table(
                            into.name,
                            schema_name=into.schema,
                            columns=list(into.columns),
                            source=data,
                            format=into.format,
                        )
                except asyncpg.PostgresError as error:
                    # Which goes no further: it may hold the value.
                    where = getattr(error, "context", None) or ""
                    vars(error).update(query=sent_text)  # as asyncpg does for other statements
                    raise
                rows = int(tag.removeprefix("COPY "))
                if statement:
                    statement.rows = rows
    except DatabaseError as error:
        _say_where(error, where, sent)
        raise
    return rows


async def _data(
    pieces: AsyncIterator[Piece],
    driver: asyncpg.Connection,
    into: Into,
    sent: list[Sequence[int]],
    tell: Callable[[Piece], None],
) -> AsyncGenerator[bytes]:
    async for piece in pieces:
        # A lost connection takes writes as if nothing were amiss: without the look at it, the whole source would be
        # sent into a closed socket before anybody knew.
        if driver.is_closed():
            return
        if piece.fitted is not None:
            sent.append(_lines_of(piece, into))
        tell(piece)  # before: who waits for data may never come back
        if piece.data:  # the encoder gathers small chunks
            yield piece.data
        if piece.is_end:
            return


def _lines_of(piece: Piece, into: Into) -> Sequence[int]:
    """Give the numbers of the records by line, as the server counts; none where a text has lines of its own."""
    assert piece.fitted is not None  # noqa: S101 # for who asks
    numbers = piece.fitted.numbers
    return numbers if into.format == "binary" or piece.data.count(b"\n") == len(numbers) else ()


def _say_where(error: DatabaseError, where: str, sent: Sequence[Sequence[int]]) -> None:
    """Name the record at which the server stopped, of the numbers of those that went with this COPY."""
    found = _LINE.search(where)
    if found is None:
        return
    line = int(found[1]) - 1
    for numbers in sent:
        if not numbers:
            return
        if line < len(numbers):
            column = f", column {found[2]!r}" if found[2] else ""
            error.add_detail(f"it is record {numbers[line]:,}{column}")
            return
        line -= len(numbers)


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
