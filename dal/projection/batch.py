"""Lookups that wait to be sent together: whose keys stand where, and which batch is next.

Refuses: sending them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import CodeType
from typing import Any, Final

from dal.pool import Place
from dal.projection.lookup import Key, Lookup
from dal.telemetry import Hears

# A batch of so many takes some 10 ms: more would let the first wait for the last.
KEYS_AT_MOST: Final = 1_000
# Beyond so many batches whose turn has not come, the pool says who may wait.
BATCHES: Final = 16


class GoYourself:
    """In the place of an answer: whoever gets it asks by himself, or raises *error*."""

    __slots__ = ("error",)

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


ALONE: Final = GoYourself()


class Batch:
    """Keys in the order of those who ask for them; each has one, or several of which he wants a list."""

    __slots__ = ("keys", "line", "logs", "waiting", "was_left")

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.waiting: list[tuple[asyncio.Future[Any], int | None]] = []
        # Of the application, for leases and logs: that of the one who began the batch.
        self.line: tuple[CodeType | None, int] | None = None
        self.was_left = False  # by somebody who was cancelled
        # Of those who keep logs of statements: their statements are sent by another task.
        self.logs: dict[asyncio.Future[Any], tuple[Hears, ...]] = {}

    def join(
        self, future: asyncio.Future[Any], keys: Sequence[Key], count: int | None, logs: tuple[Hears, ...] = ()
    ) -> None:
        """Ask for *keys*; *count* is their number, or None for one whose answer is no list."""
        self.keys += keys
        self.waiting.append((future, count))
        if logs:
            self.logs[future] = logs

    def leave_first(self) -> None:
        """Let the one who began the batch leave it."""
        self.waiting[0][0].cancel()
        self.was_left = True

    def hearing(self) -> list[Hears]:
        """Give the logs of all who ask."""
        return [log for future, _ in self.waiting for log in self.logs.get(future, ())]

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits."""
        return not all(future.done() for future, _ in self.waiting)

    def forget_cancelled(self) -> None:
        """Ask for nothing that nobody waits for."""
        if not self.was_left:
            return
        keys, waiting, self.keys, self.waiting = iter(self.keys), self.waiting, [], []
        for future, count in waiting:
            own = [next(keys) for _ in range(1 if count is None else count)]
            if not future.done():
                self.join(future, own, count)

    def part_from_full(self) -> None:
        """Let those ask by themselves whose limit of statements is reached: they will be told, and nobody else."""
        for future, _ in self.waiting:
            if not future.done() and any(log.is_full for log in self.logs.get(future, ())):
                future.set_result(ALONE)
                self.was_left = True
        self.forget_cancelled()

    def halve(self) -> Batch:
        """Take out the later half of those who ask, as a batch of their own."""
        half, middle = Batch(), len(self.waiting) // 2
        half.logs = self.logs
        split = sum(1 if count is None else count for _, count in self.waiting[:middle])
        half.waiting, self.waiting = self.waiting[middle:], self.waiting[:middle]
        half.keys, self.keys = self.keys[split:], self.keys[:split]
        half.line = self.line
        return half

    def answer(self, answers: Sequence[Any]) -> None:
        """Give everybody what stands in the places of his keys."""
        place = 0
        for future, count in self.waiting:
            if count is None:
                found, place = answers[place], place + 1
            else:
                found, place = answers[place : place + count], place + count
                found = next((each for each in found if each.__class__ is GoYourself), found)
            if not future.done():
                future.set_result(found)

    def answer_all(self, answer: GoYourself) -> None:
        """Give everybody the same, who has no answer yet."""
        for future, _ in self.waiting:
            if not future.done():
                future.set_result(answer)


class Lane:
    """Somebody who sends batches one after the other; *batch* is the one that is under way."""

    __slots__ = ("batch", "has_answered", "is_asking")

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.is_asking = False  # the pool for a connection
        self.has_answered = False  # a batch before


class Queue:
    """The batches of one lookup, in one event loop, and the lanes that are there to send them."""

    __slots__ = ("alarm", "batches", "is_here", "lanes", "lingering", "lookup", "loop", "open")

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.loop = asyncio.get_running_loop()
        place = Place()
        place.check()
        # Tells whether its loop runs here.
        self.is_here = place.is_here
        self.batches: deque[Batch] = deque()
        self.open: Batch | None = None  # the last of them
        self.lanes: set[Lane] = set()
        self.lingering = 0  # lanes that will look for a batch at the end of this turn
        self.alarm: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        """Whether no other batch may be begun."""
        return len(self.batches) >= BATCHES

    def begin(self) -> Batch:
        """Begin another batch."""
        self.open = batch = Batch()
        self.batches.append(batch)
        return batch

    def withdraw(self, batch: Batch) -> bool:
        """Take out a batch with one asker only; False if there are more, or it is under way."""
        if len(batch.waiting) > 1 or batch not in self.batches:
            return False
        self.batches.remove(batch)
        self._close(batch)
        return True

    def take(self) -> Batch | None:
        """Take out the next batch that somebody waits for, without the keys that nobody does."""
        self.drop_unwanted()
        if not self.batches:
            return None
        batch = self.batches.popleft()
        self._close(batch)
        batch.forget_cancelled()
        return batch

    def put_back(self, batch: Batch) -> None:
        """Let *batch* be the next one."""
        self.batches.appendleft(batch)
        if self.open is None:
            self.open = batch

    def drop_unwanted(self) -> None:
        """Let the next batch be one that somebody waits for."""
        while self.batches and not self.batches[0].is_wanted:
            self._close(self.batches.popleft())

    def _close(self, batch: Batch) -> None:
        if self.open is batch:
            self.open = None
