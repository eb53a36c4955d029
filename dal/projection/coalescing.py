"""Lookups of concurrent tasks share a statement: those of one turn of the loop, and those that come while it is busy.

A row is matched to who asked for it by the number of the key in the array, never by the key itself: what is equal to
Python and what is equal to the server are not the same. So whoever asks has a row of his own, whoever else asks for it.

- A batch is closed when there is a connection to send it on: a read that is called after another one's COMMIT is never
  answered by a statement that was sent before.
- A lane sends a batch, and then the next one, also of those who were answered and ask again at once. It asks the pool
  for a connection each time, as everybody does. `LANES` are enough while the server answers; a batch that has waited
  for `PATIENCE_S` gets another one.
- Whoever is alone in his turn of the loop goes himself, and counts as a lane.
- A statement for which nobody waits any more is cancelled: its answer may never come.
- What one key may have caused is nobody else's trouble: then everybody goes himself.

Refuses: planning, and building statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from typing import Any, Final, Protocol

from dal.call_site import awaiting_line, on_behalf_of
from dal.errors import DALError, DataException, StatementRefused, TooManyStatements, own_copy
from dal.pool import is_first_in_line
from dal.projection.assembly import Rows, apart, assemble
from dal.projection.batch import ALONE, KEYS_AT_MOST, Batch, GoYourself, Lane, Queue
from dal.projection.lookup import Key, Lookup, fetch_many, get_alone, get_many_alone
from dal.projection.reading import OnDriver, ProjectionSource
from dal.telemetry import heard_by, logs_here

# While the rows of one are made into objects, the server is at work for the other.
LANES: Final = 2
# So many who were answered together and ask again at once are sent as two halves: the server is at work for one while
# the other's rows are made into objects. Twenty tasks read a tenth faster for it, fifty a quarter; with fewer, the
# second statement costs what it gains.
WORTH_HALVING: Final = 16
# An application looks up some types all the time. A queue keeps the plan of its type, some hundred objects: one of a
# type that was made at run time is to go.
KEPT: Final = 200
# What a wait for a connection may always take, a statement may too, before others do not wait for it any more.
PATIENCE_S: Final = 0.05


class LookupSource(ProjectionSource, Protocol):
    """A source whose every read stands alone."""

    def is_hooked(self) -> bool:
        """Tell whether a hook wants SQLAlchemy to send the statements."""
        ...

    def is_watched(self) -> bool:
        """Tell whether somebody hears of checkouts, who may do something for the task."""
        ...


class Lookups:
    """The lookups of one `Database` that are not answered yet."""

    def __init__(self, source: LookupSource) -> None:
        self._source = source
        self._queues: dict[Lookup, Queue] = {}
        self._lanes: dict[asyncio.Task[None], Lane] = {}

    async def read(self, lookup: Lookup, keys: Sequence[Key], count: int | None) -> Any:
        """Read the row of the only one of *keys*, or None; or a list of *count* rows, in their order.

        A turn of the loop for others to join in, and then one round trip, and one for each collection. Whoever is
        cancelled disturbs nobody. An error of the statement is raised as one of the caller's own.
        """
        queue = self._queues.get(lookup)
        if queue is None or not queue.is_here():
            queue = self._begin(lookup)
        if is_first_in_line():
            return await self._alone(lookup, keys, count)
        future: asyncio.Future[Any] = queue.loop.create_future()
        batch = queue.open
        if batch is not None and len(batch.keys) + len(keys) <= KEYS_AT_MOST:
            batch.join(future, keys, count, logs_here())
        elif queue.is_full:
            return await self._alone(lookup, keys, count)
        else:
            batch = queue.begin()
            batch.join(future, keys, count, logs_here())
            if queue.lingering or len(queue.lanes) >= LANES:
                batch.line = awaiting_line()
                self._set_alarm(queue)
            elif await self._nobody_joins(queue, batch, lane := Lane()):
                try:
                    return await self._alone(lookup, keys, count)
                finally:
                    self._leave(queue, lane)
        try:
            answer = await future
        except asyncio.CancelledError:
            batch.was_left = True
            self._end_unwanted()
            raise
        if answer.__class__ is not GoYourself:
            return answer
        if answer.error is None:
            return await self._alone(lookup, keys, count)
        raise own_copy(answer.error) from answer.error

    def _end_unwanted(self) -> None:
        """Cancel the statements for which nobody waits any more: their answers may never come."""
        for task, lane in self._lanes.items():
            if lane.batch is not None and not lane.batch.is_wanted:
                task.cancel()

    async def stop(self) -> None:
        """Cancel the statements for whose answers nobody waits any more."""
        orphans = [task for task, lane in self._lanes.items() if lane.batch and not lane.batch.is_wanted]
        for task in orphans:
            task.cancel()
        await _ended(orphans)

    async def settle(self) -> None:
        """Wait for the lanes to hear that the pool, which they have asked for a connection, is closed."""
        await _ended([task for task, lane in self._lanes.items() if lane.batch is None])

    def _begin(self, lookup: Lookup) -> Queue:
        self._queues.pop(lookup, None)
        if len(self._queues) >= KEPT:
            oldest = next((each for each, queue in self._queues.items() if not queue.lanes), None)
            if oldest is not None:
                del self._queues[oldest]
        self._queues[lookup] = queue = Queue(lookup)
        return queue

    def _alone(self, lookup: Lookup, keys: Sequence[Key], count: int | None) -> Coroutine[Any, Any, Any]:
        if count is None:
            return get_alone(self._source, lookup, keys[0])
        return get_many_alone(self._source, lookup, keys)

    async def _nobody_joins(self, queue: Queue, batch: Batch, lane: Lane) -> bool:
        """Let others join for one turn of the loop: if any does, the batch goes to a lane of its own."""
        queue.lanes.add(lane)
        alone = False
        try:
            await asyncio.sleep(0)
            alone = queue.withdraw(batch)
        except asyncio.CancelledError:
            batch.leave_first()
            raise
        finally:
            if not alone:
                self._leave(queue, lane)
        return alone

    def _leave(self, queue: Queue, lane: Lane) -> None:
        queue.lanes.discard(lane)
        queue.drop_unwanted()
        if queue.batches:
            if len(queue.lanes) < LANES:
                self._start(queue)
        elif queue.alarm is not None:
            queue.alarm.cancel()
            queue.alarm = None

    def _start(self, queue: Queue) -> None:
        lane, first = Lane(), queue.batches[0]
        first.line = first.line or awaiting_line()
        queue.lanes.add(lane)
        # In no caller's context: what is set there is his alone.
        task = queue.loop.create_task(self._run(queue, lane), context=Context())
        self._lanes[task] = lane
        # Also of one that was cancelled before it began.
        task.add_done_callback(lambda task: self._leave(queue, self._lanes.pop(task)))

    async def _run(self, queue: Queue, lane: Lane) -> None:
        while lane in queue.lanes and (queue.batches or await self._lingers(queue)):
            on_behalf_of(queue.batches[0].line or (None, 0))
            try:
                await self._serve(queue, lane)
            finally:
                if lane.batch is not None:  # cancelled, or there is nothing left to be done
                    lane.batch.answer_all(ALONE)
                lane.batch, lane.is_asking = None, False

    async def _lingers(self, queue: Queue) -> bool:
        """Wait for those who were answered in this turn and ask again at once; tell whether anybody does."""
        queue.lingering += 1
        try:
            await asyncio.sleep(0)
        finally:
            queue.lingering -= 1
        return bool(queue.batches)

    async def _serve(self, queue: Queue, lane: Lane) -> None:
        if self._source.is_watched():
            lane.batch = queue.take()
            return  # everybody goes himself, in his own context
        lane.is_asking = True
        try:
            async with self._source.reading_driver() as driver:
                lane.is_asking = False
                lane.batch = batch = self._take(queue, lane)
                if batch is None or not batch.keys or driver is None or self._source.is_hooked():
                    return
                heard_by(batch.hearing() if batch.logs else ())
                rows = await fetch_many(OnDriver(driver, self._source.statements), queue.lookup, batch.keys)
            batch.answer(_answers(queue.lookup, rows, len(batch.keys)))
            lane.batch, lane.has_answered = None, True
        except Exception as error:  # whatever it is, those who wait must hear of it
            failed = lane.batch or queue.take()
            if failed is not None:
                failed.answer_all(ALONE if _is_of_one(error) else GoYourself(error))

    def _take(self, queue: Queue, lane: Lane) -> Batch | None:
        batch = queue.take()
        is_next_free = not queue.batches and len(queue.lanes) < LANES
        if batch is not None and batch.logs:
            batch.part_from_full()
        if batch is not None and lane.has_answered and is_next_free and len(batch.waiting) >= WORTH_HALVING:
            queue.put_back(batch.halve())
            self._start(queue)
        return batch

    def _set_alarm(self, queue: Queue) -> None:
        if queue.alarm is None:
            queue.alarm = queue.loop.call_later(PATIENCE_S, self._on_alarm, queue, queue.batches[0])

    def _on_alarm(self, queue: Queue, first: Batch) -> None:
        queue.alarm = None
        if not queue.batches:
            return
        if queue.batches[0] is first and not any(lane.is_asking for lane in queue.lanes):
            # All of them have been at one statement since: they do not count any more, and end with it.
            queue.lanes.clear()
            self._start(queue)
        self._set_alarm(queue)


def _answers(lookup: Lookup, rows: Rows, count: int) -> list[Any]:
    """Put an object of each row in the place of its key."""
    answers: list[Any] = [None] * count
    places = [row[-1] - 1 for row in rows.rows]
    level = lookup.level
    try:
        if not level.children:
            for place, each in zip(places, assemble(level, rows), strict=True):
                answers[place] = each
            return answers
    except Exception:  # noqa: S110 # one row's fault, which is found below
        pass
    # What belongs to several rows is made for each of them.
    for place, part in zip(places, apart(level, rows), strict=True):
        try:
            [answers[place]] = assemble(level, part)
        except Exception:  # the one who asked for this row will see it for himself
            answers[place] = ALONE
    return answers


def _is_of_one(error: Exception) -> bool:
    """Tell whether one key, or that there are several, may have caused *error*."""
    return not isinstance(error, DALError) or isinstance(error, DataException | StatementRefused | TooManyStatements)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    here = asyncio.get_running_loop()
    own = [task for task in tasks if task.get_loop() is here]
    if own:
        await asyncio.wait(own)
