"""Whose turn it is: one client after the other speaks to the server, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from dal.testing import wire

# Longer than any pause between two statements of a unit of work that is not stuck.
PATIENCE_S: Final = 2.0
# How often somebody looks at who has the turn, while others wait.
_LOOK_S: Final = 0.1


class Waiter(Protocol):
    """Who has the turn, or waits for it."""

    last: str

    def has_turn(self) -> None:
        """Go on: the turn has come."""

    def refuse(self, error: bytes) -> None:
        """Give up: the turn does not come."""

    def idle_s(self) -> float:
        """Say for how many seconds others have waited for this one's next word."""
        ...

    def go_on(self) -> None:
        """Say what was kept back."""

    def end_series(self) -> None:
        """End what was begun and left."""


class Turns:
    """Gives the turn; who waits while its holder says nothing is refused after `PATIENCE_S`."""

    def __init__(self) -> None:
        self.holder: Waiter | None = None
        self._waiting: deque[Waiter] = deque()
        self._look: asyncio.TimerHandle | None = None

    def take(self, waiter: Waiter) -> bool:
        """Take the turn if it is free; else wait, and be told by `has_turn` or `refuse`."""
        if self.holder is None:
            self.holder = waiter
            return True
        self._waiting.append(waiter)
        if self._look is None:
            self._look_later()
        return False

    def give(self) -> None:
        """End the turn."""
        self.holder = self._waiting.popleft() if self._waiting else None
        if self.holder is not None:
            self.holder.has_turn()

    def forget(self, waiter: Waiter) -> None:
        """Let *waiter* wait no more."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._look_at_holder)

    def _look_at_holder(self) -> None:
        self._look = None
        if self.holder is None or not self._waiting:
            return
        idle_s = self.holder.idle_s()
        if idle_s > PATIENCE_S:
            waiting, self._waiting = self._waiting, deque()
            for waiter in waiting:
                waiter.refuse(_refusal(self.holder.last))
        elif idle_s > _LOOK_S:
            self.holder.end_series()
        if self._waiting:
            self._look_later()


def _refusal(last: str) -> bytes:
    return wire.error(
        "55P03",
        "the sandbox has one transaction, and another connection has kept it open without a word for "
        f"{PATIENCE_S:.0f} s, since {last!r}. End that transaction first, or mark the test with pytest.mark.database, "
        "where connections are apart.",
    )
