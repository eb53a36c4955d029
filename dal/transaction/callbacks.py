"""What is called once a transaction is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final

from dal.transaction.outcome import Outcome

logger: Final = logging.getLogger("dal.transaction")

Callback = Callable[[], Awaitable[object] | object]


class Callbacks:
    """Functions by the outcome that they wait for, called in the order they came in."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Outcome, Callback]] = []

    def add(self, outcome: Outcome, callback: Callback) -> None:
        """Have *callback* called, and what it gives awaited."""
        self._waiting.append((outcome, callback))

    async def call(self, outcome: Outcome) -> None:
        """Call those that wait for *outcome*; what they raise is logged: the transaction is what it is.

        A cancellation ends the one that is awaited, and goes on when all were called.
        """
        cancelled: asyncio.CancelledError | None = None
        for wanted, callback in self._waiting:
            if wanted is outcome:
                try:
                    awaited = callback()
                    if isawaitable(awaited):
                        await awaited
                except asyncio.CancelledError as error:  # of this task, or of what the callback awaited
                    cancelled = error if _is_cancelled() else cancelled
                except Exception:
                    logger.exception("a callback failed after a transaction was %s", outcome)
        if cancelled is not None:
            raise cancelled


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
