"""The time that a transaction may take in all, kept by cancelling its task as `asyncio.timeout` does."""

from __future__ import annotations

import asyncio

from dal.errors import QueryCanceled


class Deadline:
    """Ends a task *seconds* after `start`, unless it is held; None never does.

    The server ends a statement after *server_s*: what comes of that is the deadline's doing too, unless that limit was
    *statement_s*, which somebody asked for.
    """

    def __init__(self, seconds: float | None, server_s: float | None, statement_s: float | None) -> None:
        self.seconds = seconds
        self._server_s = None if server_s == statement_s else server_s
        self._timeout: asyncio.Timeout | None = None
        self._started = 0.0

    async def start(self) -> None:
        """Begin to count."""
        if self.seconds is not None:
            self._started = asyncio.get_running_loop().time()
            self._timeout = asyncio.timeout(self.seconds)
            await self._timeout.__aenter__()

    async def hold(self) -> None:
        """Cancel nothing from here on; raises the `CancelledError` that is on its way already."""
        if self._timeout is None:
            return
        if self._timeout.expired():
            await asyncio.sleep(0)
        else:
            self._timeout.reschedule(None)

    async def end(self, error: BaseException | None) -> bool:
        """Count no more; tells whether *error* came of the deadline."""
        if self._timeout is None:
            return False
        try:
            await self._timeout.__aexit__(type(error) if error else None, error, None)
        except TimeoutError:
            return True
        return isinstance(error, QueryCanceled) and self._server_s is not None and self.elapsed_s >= self._server_s

    @property
    def elapsed_s(self) -> float:
        """How long it has been."""
        return asyncio.get_running_loop().time() - self._started

    @property
    def left_s(self) -> float | None:
        """How much time is left, not less than 0; None without a limit."""
        return None if self.seconds is None else max(0.0, self.seconds - self.elapsed_s)
