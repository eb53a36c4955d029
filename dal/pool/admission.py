"""Who waits for a connection, in which order they are served, and who is told at once that it makes no sense to wait.

A line that stands is worth nothing: under overload everybody waits, and most give up before their turn. So it is
watched by how long the one in front has waited, as CoDel does (Nichols & Jacobson 2012, RFC 8289). While that is no
longer than `patience_s` the oldest goes first, and nobody is shed. Beyond it:

- If fewer come than are served it is a burst, which is served whole; the newest goes first meanwhile ("adaptive LIFO",
  Maurer, "Fail at Scale", 2015), so that those who come after a burst do not wait for it.
- If as many come as are served it is an overload: who has waited too long is shed, and until the line has been empty no
  more may wait than are served in one round; the others are told at once, which costs the least and helps the most.
- If nobody is served the connections are stuck, and shedding would help nobody: the timeout tells.

Pure: time is an argument. Refuses: knowing what a connection is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, Generic, Protocol, TypeVar

# The estimate of holding times is RFC 6298's of round trips: a mean, plus four deviations. It follows at half the
# pace or less, for ten connections tell more often than one.
_GAIN: Final = 1 / 16
_K: Final = 4


class Waiter(Protocol):
    """Somebody in the line; `since` is on the clock of all the times here, in seconds."""

    since: float


W = TypeVar("W", bound=Waiter)


class Admission(Generic[W]):
    """The line in front of a pool.

    *size* is how many connections serve it, *target_s* what a wait may always take, *max_waiting* how many may wait,
    those with priority not counted.
    """

    def __init__(self, size: int, *, target_s: float, max_waiting: int) -> None:
        self.overloaded = False
        self._size, self._target_s, self._max_waiting = size, target_s, max_waiting
        self._line: OrderedDict[W, None] = OrderedDict()
        self._first: OrderedDict[W, None] = OrderedDict()
        self._traffic = _Traffic(size)
        self._served_at = float("-inf")
        self._held_s: float | None = None
        self._deviation_s = 0.0

    def __len__(self) -> int:
        return len(self._line) + len(self._first)

    @property
    def patience_s(self) -> float:
        """What a wait may take while overloaded: the target, or what connections are held for where that is longer."""
        if self._held_s is None:
            return self._target_s
        return max(self._target_s, self._held_s + _K * self._deviation_s)

    def resize(self, size: int) -> None:
        """Be served by *size* connections from now on."""
        self._size, self._traffic = size, _Traffic(size)

    def retry_after_s(self) -> float:
        """Estimate when the line will be gone."""
        return max(self._target_s, len(self) * (self._held_s or 0.0) / self._size)

    def held(self, seconds: float) -> None:
        """Learn for how long a connection was out."""
        if self._held_s is None:
            self._held_s, self._deviation_s = seconds, seconds / 2
            return
        self._deviation_s += _GAIN * (abs(seconds - self._held_s) - self._deviation_s)
        self._held_s += _GAIN * (seconds - self._held_s)

    def has_room(self, spare: int = 0) -> bool:
        """Tell whether one more may wait, where *spare* connections are still to come.

        While overloaded no more may wait than are served in one round.
        """
        return len(self._line) < (self._size if self.overloaded else self._max_waiting) + spare

    def join(self, waiter: W, *, priority: bool = False) -> None:
        """Put *waiter* into the line."""
        if priority:
            self._first[waiter] = None
        else:
            self._traffic.came()
            self._line[waiter] = None

    def leave(self, waiter: W) -> None:
        """Take *waiter* out, if it is still there."""
        self._line.pop(waiter, None)
        self._first.pop(waiter, None)

    def next(self, now: float) -> W | None:
        """Take out whom a free connection belongs to; None when nobody waits, which ends an overload."""
        if self._first:
            return self._first.popitem(last=False)[0]
        if not self._line:
            self.overloaded = False
            if self._traffic.is_moving:
                self._traffic.stopped()
            return None
        self._served_at = now
        self._traffic.served()
        return self._line.popitem(last=not self.overloaded and self._patient_until() <= now)[0]

    def shed(self, now: float) -> list[W]:
        """Take out those who have waited beyond `patience_s` in a line that stands; none while it is no overload."""
        if self.overloaded and now - self._served_at > self.patience_s:
            self.overloaded = False  # nobody is served any more, and those who wait learn of it by the timeout
            self._traffic.stopped()
        if not self._line or self._patient_until() > now or not (self.overloaded or self._is_standing()):
            return []
        self.overloaded = True
        return _out_of(self._line, now, self.patience_s)

    def timed_out(self, now: float, timeout_s: float) -> list[W]:
        """Take out those who have waited for *timeout_s*."""
        return [*_out_of(self._first, now, timeout_s), *_out_of(self._line, now, timeout_s)]

    def due_at(self, now: float, timeout_s: float) -> float | None:
        """Say when `shed` and `timed_out` are worth asking again."""
        moments = [next(iter(line)).since + timeout_s for line in (self._first, self._line) if line]
        if self._line:
            # Patience may shrink meanwhile, and a line that shrinks may begin to grow.
            until = self._patient_until()
            moments.append(min(until, now + self._target_s) if until > now else now + self._target_s / 2)
        return min(moments, default=None)

    def everybody(self) -> list[W]:
        """Take out all."""
        return [*_out_of(self._first, float("inf"), 0.0), *_out_of(self._line, float("inf"), 0.0)]

    def _patient_until(self) -> float:
        return next(iter(self._line)).since + self.patience_s

    def _is_standing(self) -> bool:
        # Whoever holds the connections may have stopped: then shedding would serve nobody, and the timeout tells.
        moves = self._served_at > next(iter(self._line)).since
        return moves and self._traffic.is_growing()


def _out_of(line: OrderedDict[W, None], now: float, limit_s: float) -> list[W]:
    out: list[W] = []
    while line and next(iter(line)).since + limit_s <= now:
        out.append(line.popitem(last=False)[0])
    return out


class _Traffic:
    """Whether as many come as are served, over four rounds of the connections; less than one is too few to say."""

    def __init__(self, size: int) -> None:
        self._least = size
        self._between: deque[int] = deque(maxlen=4 * size)
        self.is_moving = False
        self._came = 0

    def came(self) -> None:
        self._came += 1

    def served(self) -> None:
        # Those who came before the first was served are the burst, if it is one.
        if self.is_moving:
            self._between.append(self._came)
        self.is_moving, self._came = True, 0

    def stopped(self) -> None:
        self.is_moving, self._came = False, 0
        self._between.clear()

    def is_growing(self) -> bool:
        served = len(self._between)
        return served >= self._least and sum(self._between) + self._came >= served
