"""The one transaction, on the one connection to the server.

Refuses: knowing what a client said.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import asyncpg

from dal.testing import wire
from dal.testing.sandbox import statements
from dal.testing.sandbox.turns import Turns

# What a server tells a new client of its settings, and drivers want to know.
_TOLD: Final = (
    "server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone",
    "integer_datetimes", "standard_conforming_strings",
)  # fmt: skip


class Answer(Protocol):
    """Who hears what the server says, up to its ReadyForQuery."""

    def heard(self, message: bytes) -> None:
        """Take a message that is part of the answer."""

    def ready(self, status: bytes) -> None:
        """Take the end of the answer."""


class Transaction(asyncio.Protocol):
    """A connection that *driver* has logged in, then spoken to by message; answers come in the order of questions.

    *cancel* stops what the server's process of that number is running.
    """

    def __init__(self, driver: asyncpg.Connection, cancel: Callable[[int], Awaitable[Any]]) -> None:
        self.pid: int = driver.get_server_pid()
        told = driver.get_settings()
        self.told = {name: str(getattr(told, name)) for name in _TOLD if hasattr(told, name)}
        self.user: str = told.session_authorization
        self.turns = Turns()
        self.is_lost = False
        self.is_full = False  # the server takes in no more for now
        self.ended_by: str | None = None
        self.settings: Sequence[str] | None = None  # in force; None if nobody knows
        # Most clients of a test-suite have the same settings: they are set before the first of a test comes.
        self._usual: Sequence[str] = ()
        self._cancel = cancel
        self._cancelling: set[asyncio.Task[None]] = set()
        self._driver = driver
        self._frames = wire.Frames()
        self._answers: deque[Answer] = deque()
        self._deaf_for: set[object] = set()
        # asyncpg has no public way to its transport; held by a contract test.
        self._transport: asyncio.Transport = driver._transport  # noqa: SLF001
        self._transport.set_protocol(self)
        self._out = wire.Outbox(self._transport)

    def send(self, message: bytes) -> None:
        """Send a message that has no answer of its own."""
        self._out.write(message)

    def ask(self, message: bytes, answer: Answer) -> None:
        """Send a message, or the first of several, that end in one ReadyForQuery."""
        self._answers.append(answer)
        self._out.write(message)
        if self.is_lost:
            self._give_up()

    def execute(self, text: str, refused: Callable[[bytes], None] | None = None) -> None:
        """Run *text* between the clients' questions; *refused* hears the server's error, if there is one."""
        self.ask(wire.query(text), _Unheard(refused))

    def begin(self) -> None:
        """Begin anew, without waiting for it: what is said next comes after it."""
        self.ended_by, self.settings = None, self._usual
        self.execute("; ".join(["BEGIN", *self._usual, "SAVEPOINT dal_sandbox"]))

    def end(self) -> None:
        """Roll everything back, without waiting for it."""
        self.execute("ROLLBACK")
        self.execute("DISCARD ALL")

    def use(self, settings: Sequence[str], refused: Callable[[bytes], None]) -> None:
        """Run what follows with *settings*, and with nothing else that others have set."""
        if settings == self.settings:
            return

        def forget(error: bytes) -> None:
            self.settings, self._usual = None, ()
            refused(error)

        self.settings = self._usual = settings
        self.execute(statements.use(settings), forget)

    def cancel(self, answer: Answer) -> asyncio.Task[None]:
        """Cancel what is running, if it is *answer*'s question."""
        task = asyncio.create_task(self._cancel_question(answer))
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)
        return task

    def listen(self, whom: object, *, listens: bool) -> None:
        """Hear the server, or do not: as long as one of those who say so cannot listen, nobody does."""
        (self._deaf_for.discard if listens else self._deaf_for.add)(whom)
        (self._transport.pause_reading if self._deaf_for else self._transport.resume_reading)()

    def close(self) -> None:
        """Close the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand the server's messages to those who asked."""
        for message in self._frames.feed(data):
            if not self._answers:
                continue  # a notice, or the farewell of a server that stops
            if message[:1] == wire.READY:
                self._answers.popleft().ready(message[5:6])
            else:
                self._answers[0].heard(message)

    def pause_writing(self) -> None:
        """Take no more from whoever has the turn."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Go on where `pause_writing` stopped."""
        self.is_full = False
        if self.turns.holder is not None:
            self.turns.holder.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait that no answer comes."""
        self.is_lost = True
        self._driver.terminate()
        self._give_up()

    def _give_up(self) -> None:
        while self._answers:
            answer = self._answers.popleft()
            answer.heard(wire.error("57P01", "the sandbox's connection is lost"))
            answer.ready(wire.FAILED)

    async def _cancel_question(self, answer: Answer) -> None:
        # The sandbox's own questions before it take no time.
        while answer in self._answers and self._answers[0] is not answer:  # noqa: ASYNC110 # too short to be told
            await asyncio.sleep(0)
        if answer not in self._answers:
            return
        # A cancellation that comes late would hit somebody else, who must not be asked before.
        token = object()
        self.listen(token, listens=False)
        try:
            await self._cancel(self.pid)
        finally:
            self.listen(token, listens=True)


class _Unheard:
    """The answer to what the sandbox says by itself."""

    def __init__(self, refused: Callable[[bytes], None] | None) -> None:
        self._refused = refused

    def heard(self, message: bytes) -> None:
        if message[:1] == wire.ERROR and self._refused is not None:
            self._refused(message)

    def ready(self, status: bytes) -> None:
        pass
