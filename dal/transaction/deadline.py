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

    def hold(self) -> None:
        """Cancel nothing from here on; a `CancelledError` may be on its way already."""
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(None)

    @property
    def has_passed(self) -> bool:
        """Whether it has cancelled its task."""
        return self._timeout is not None and self._timeout.expired()

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
