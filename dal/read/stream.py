"""What a repository's `stream` gives: rows one by one, and an end that is certain.

Refuses: `async for` without the `async with` around it, which would leave the end to the garbage collector.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Generic, NoReturn, TypeVar

from dal.errors import UnitOfWorkError
from dal.projection import Batches, ProjectionReads, ProjectionSource

T = TypeVar("T")


class Stream(Generic[T]):
    """`async with orders.stream() as rows:` lends an iterator over what is read, once, until the end of the block.

    Whatever ends the block, also a cancellation, ends the statement in the server.
    """

    __slots__ = ("_begin", "_lent", "_source")

    def __init__(self, source: ProjectionSource, begin: Callable[[ProjectionReads], Awaitable[Batches]]) -> None:
        self._source, self._begin = source, begin
        self._lent: AbstractAsyncContextManager[AsyncIterator[T]] | None = None

    async def __aenter__(self) -> AsyncIterator[T]:
        if self._lent is not None:
            raise UnitOfWorkError("this stream was entered before: call stream() once more for another one.")
        self._lent = self._lend()
        return await self._lent.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._lent is not None  # noqa: S101 # `async with` enters before it exits
        await self._lent.__aexit__(kind, error, traceback)

    def __aiter__(self) -> NoReturn:
        raise TypeError(
            "a stream holds a connection until it is left: `async with orders.stream() as rows:`, and in that block "
            "`async for row in rows:`."
        )

    @asynccontextmanager
    async def _lend(self) -> AsyncGenerator[AsyncIterator[T]]:
        async with self._source.streaming() as source:
            batches = await self._begin(source)
            try:
                async with aclosing(_each(batches)) as rows:
                    yield rows
            finally:
                if self._source.is_transaction:  # which goes on
                    await batches.close()


async def _each(batches: Batches) -> AsyncGenerator[Any]:
    while batch := await batches.next():
        for row in batch:
            yield row
