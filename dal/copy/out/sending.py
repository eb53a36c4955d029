"""One COPY to the client, in blocks, which whoever takes them may end in the middle.

asyncpg loses its place in the protocol when the task that takes rows is cancelled or raises. So the COPY has a task of
its own, which neither happens to: whoever wants no more asks the server to end it, and drops what still comes. Refuses:
knowing what is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from dal.errors import ConnectionLost
from dal.transaction.finishing import finished

# Large enough that a block's fixed costs vanish.
BLOCK_BYTES: Final = 1 << 20
# So long may a server take to end a COPY; then the connection is cut.
PATIENCE_S: Final = 5.0

Take: TypeAlias = Callable[[bytes], Awaitable[None]]


class TakerFailed(Exception):
    """Whoever takes the blocks has failed; *error* may be of a kind that the driver raises too, and is not its own."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.error = error


@contextmanager
def takers_error() -> Generator[None]:
    """Raise the error in a `TakerFailed` as it was; around what would name it as the driver's."""
    error: BaseException | None = None
    try:
        yield
    except TakerFailed as failed:
        error = failed.error
    if error is not None:
        raise error


async def sent(driver: asyncpg.Connection, query: str, options: dict[str, Any], take: Take) -> str:
    """Have the server send the rows of *query*, give them to *take* in blocks, and give the server's last word.

    The server waits while *take* does. A cancellation takes as long as the server does to end the COPY. Raises
    `TakerFailed`, and what the driver raises.
    """
    blocks = _Blocks(driver, take)
    copying = asyncio.create_task(driver.copy_from_query(query, output=blocks.add, **options))
    cancelled: asyncio.CancelledError | None = None
    try:
        await asyncio.wait({copying, blocks.stopped}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError as error:
        cancelled = error
    blocks.stop()
    try:
        ending = _ended(driver, copying)
        await finished(ending, give_up=driver.terminate, patience_s=PATIENCE_S, limit_s=PATIENCE_S)
    except asyncio.CancelledError as error:
        cancelled = cancelled or error
    failed = copying.exception()
    if cancelled is not None:
        raise cancelled
    if blocks.error is not None:
        raise TakerFailed(blocks.error)
    if failed is None:
        await blocks.give()
    return str(copying.result())


async def _ended(driver: Any, copying: asyncio.Task[Any]) -> None:
    if not copying.done():
        try:
            await driver.end_command()
        except (OSError, asyncpg.InterfaceError):  # there is no way to the server any more
            driver.terminate()
        await asyncio.wait({copying})


class _Blocks:
    """Gathers what the driver hands over; each of its pieces is some whole messages."""

    def __init__(self, driver: asyncpg.Connection, take: Take) -> None:
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: BaseException | None = None
        self._driver, self._take = driver, take
        self._pieces: list[bytes] = []
        self._size = 0

    def stop(self) -> None:
        """Drop what comes from now on."""
        if not self.stopped.done():
            self.stopped.set_result(None)

    async def add(self, piece: bytes) -> None:
        """Take a piece; raises only when the connection is gone, for asyncpg would wait for more of it."""
        if not self.stopped.done():
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size >= BLOCK_BYTES:
                await self._give_or_stop()
        if self._driver.is_closed():
            raise ConnectionLost("the connection ended during the COPY; nothing of it is kept.")

    async def give(self) -> None:
        """Give what is gathered to whoever takes it."""
        if self._pieces:
            block, self._pieces, self._size = b"".join(self._pieces), [], 0
            try:
                await self._take(block)
            except Exception as error:
                raise TakerFailed(error) from None

    async def _give_or_stop(self) -> None:
        giving = asyncio.create_task(self.give())
        await asyncio.wait({giving, self.stopped}, return_when=asyncio.FIRST_COMPLETED)
        giving.cancel()
        await asyncio.wait({giving})
        if not giving.cancelled() and (failed := giving.exception()) is not None:
            self.error = failed.error if isinstance(failed, TakerFailed) else failed
            self.stop()
