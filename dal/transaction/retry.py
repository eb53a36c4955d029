"""When a function is run again in a transaction of its own, and how often.

What makes it safe: everything of the failed attempt was rolled back, and nothing of it is used again. Refuses: running
anything again after a COMMIT whose outcome is unknown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from dal.backoff import backoff_s
from dal.errors import ConfigError, ConnectionLost, DeadlockDetected, LockNotAvailable, SerializationFailure
from dal.observer import Attempt, Observer

T = TypeVar("T")

logger: Final = logging.getLogger("dal.transaction")
_ALWAYS: Final = (SerializationFailure, DeadlockDetected, LockNotAvailable, ConnectionLost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a function is run, and how long it waits in between.

    It is run again after a serialization failure, a deadlock, a lock that was not available, and a connection that was
    lost before its COMMIT, or in it if the server says that nothing was committed; after *on* too, such as
    `StaleEntity`. The pauses are random up to a bound that doubles. No attempt begins `within_s` after the first.
    """

    attempts: int = 10
    within_s: float = 30.0
    first_pause_s: float = 0.01
    longest_pause_s: float = 1.0
    on: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f"attempts is {self.attempts}; one is the least.")

    def covers(self, error: BaseException) -> bool:
        """Tell whether *error*, or all that a task group has gathered in it, is worth another attempt."""
        kinds: tuple[type[Exception], ...] = (*_ALWAYS, *self.on)
        return isinstance(error, kinds) or (isinstance(error, BaseExceptionGroup) and error.split(kinds)[1] is None)

    def pause_s(self, attempts: int, elapsed_s: float) -> float | None:
        """Give how long to wait after so many *attempts* that failed; None if that was the last one."""
        pause_s = backoff_s(attempts, first_s=self.first_pause_s, longest_s=self.longest_pause_s)
        return pause_s if attempts < self.attempts and elapsed_s + pause_s < self.within_s else None


async def run(attempt: Callable[[], Awaitable[T]], name: str, retry: Retry, observer: Observer | None) -> T:
    """Run *attempt* until it is committed, as *retry* says; what the last one raised comes out."""
    first = time.monotonic()
    number = 0
    while True:
        number += 1
        began = time.monotonic()
        try:
            result = await attempt()
        except BaseException as error:
            now = time.monotonic()
            pause_s = retry.pause_s(number, now - first) if retry.covers(error) else None
            _tell(observer, Attempt(name, number, now - began, error, pause_s))
            if pause_s is None:
                if number > 1:
                    error.add_note(f"Attempt {number}, {now - first:.2f} s after the first began.")
                raise
        else:
            _tell(observer, Attempt(name, number, time.monotonic() - began))
            return result
        await asyncio.sleep(pause_s)


def _tell(observer: Observer | None, attempt: Attempt) -> None:
    if observer is None:
        return
    try:
        observer.attempted(attempt)
    except Exception:
        logger.exception("the observer failed at an attempt of %s", attempt.function)
