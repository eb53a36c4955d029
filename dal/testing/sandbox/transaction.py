"""The one transaction on the one connection, and whose turn it is to speak in it.

A savepoint stands where the last unit of work ended: the next one is undone by going back there, and committed by
moving the savepoint on. Refuses: knowing what a client said.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import asyncpg

from dal.testing import wire

# What COMMIT checks is checked, and is deferred again for the next unit of work.
_CHECK: Final = (
    "SAVEPOINT dal_check; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO SAVEPOINT dal_check; RELEASE SAVEPOINT dal_check"
)
BEGIN: Final = "SAVEPOINT dal_begun"
NEXT: Final = "RELEASE SAVEPOINT dal_sandbox; SAVEPOINT dal_sandbox"
COMMIT: Final = f"{_CHECK}; {NEXT}"
ROLLBACK: Final = "ROLLBACK TO SAVEPOINT dal_sandbox"

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


class Holder(Protocol):
    """Who has the turn."""

    last: str

    def idle_s(self) -> float:
        """How long the server has waited for the next statement, in seconds."""
        ...

    def end_series(self) -> None:
        """End what was begun and left."""


class Transaction(asyncio.Protocol):
    """A connection that *driver* has logged in, then spoken to by message; answers come in the order of questions.

    *cancel* stops what the server's process of that number is running.
    """

    def __init__(self, driver: asyncpg.Connection, cancel: Callable[[int], Awaitable[Any]]) -> None:
        self.pid: int = driver.get_server_pid()
        told = driver.get_settings()
        self.told = {name: str(getattr(told, name)) for name in _TOLD if hasattr(told, name)}
        self.turn = asyncio.Lock()
        self.cancelling = asyncio.Lock()
        self.holder: Holder | None = None
        self.is_lost = False
        self.ended_by: str | None = None
        self._cancel = cancel
        self._settings: Mapping[str, str] | None = None
        # Most clients of a test-suite have the same settings: they are set before the first of a test comes.
        self._usual: Mapping[str, str] = {}
        self._driver = driver
        self._frames = wire.Frames()
        self._answers: deque[Answer] = deque()
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

    def execute(self, text: str) -> asyncio.Future[str | None]:
        """Run *text* between the clients' questions; gives the server's error, if there is one."""
        done = _Done()
        self.ask(wire.query(text), done)
        return done.future

    def begin(self) -> None:
        """Begin anew, without waiting for it: what is said next comes after it."""
        self.ended_by, self._settings = None, self._usual
        self.execute("; ".join(["BEGIN", *_set(self._usual), "SAVEPOINT dal_sandbox"]))

    def end(self) -> None:
        """Roll everything back, without waiting for it."""
        self.execute("ROLLBACK")
        self.execute("DISCARD ALL")

    def use(self, settings: Mapping[str, str]) -> None:
        """Run what follows with *settings*, and with nothing else that others have set."""
        if settings == self._settings:
            return
        self._settings = self._usual = settings
        self.execute("; ".join(["RELEASE SAVEPOINT dal_sandbox", "RESET ROLE", "RESET ALL", *_set(settings)]))
        self.execute("SAVEPOINT dal_sandbox")

    def forget_settings(self) -> None:
        """Set everything again for the next unit of work: SET LOCAL would outlive the one that said it."""
        self._settings = None

    async def cancel(self, holder: Holder) -> None:
        """Cancel what is running, if it is *holder*'s; a cancellation that comes late would hit somebody else."""
        async with self.cancelling:
            if self.holder is holder and not holder.idle_s():
                await self._cancel(self.pid)

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait that no answer comes."""
        self.is_lost = True
        self._driver.terminate()
        while self._answers:
            answer = self._answers.popleft()
            answer.heard(wire.error("57P01", "the sandbox's connection is lost"))
            answer.ready(wire.FAILED)


class _Done:
    """The answer to what the sandbox asks by itself."""

    def __init__(self) -> None:
        self.future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._error: str | None = None

    def heard(self, message: bytes) -> None:
        if message[:1] == wire.ERROR:
            self._error = wire.error_text(message)

    def ready(self, status: bytes) -> None:
        if not self.future.done():
            self.future.set_result(self._error)


def _set(settings: Mapping[str, str]) -> list[str]:
    return [f"SELECT set_config('{_quoted(name)}', '{_quoted(value)}', false)" for name, value in settings.items()]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
