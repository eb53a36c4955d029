"""A connection of the code under test: what it says goes to the one transaction, BEGIN and COMMIT as savepoints."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from typing import Final

from dal.testing import wire
from dal.testing.sandbox.transaction import BEGIN, COMMIT, NEXT, ROLLBACK, Transaction

# Longer than any pause between two statements of a unit of work that is not stuck.
PATIENCE_S: Final = 2.0
# How often those who wait look at who has the turn.
_LOOK_S: Final = 0.1

_CONTROL: Final = re.compile(
    r"\s*(?:(?P<begin>begin|start\s+transaction)|(?P<commit>commit|end)|(?P<rollback>rollback|abort))\b"
    r"(?P<modes>(?:(?!\b(?:to|prepared)\b)[^;])*)(?:;(?P<more>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_LEAVES_SETTINGS: Final = re.compile(rb"\bset\s+local\b|\bset_config\b|\brole\b", re.IGNORECASE)
# How the answers to statements that write begin.
_WRITES: Final = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY")
# Startup options that are no run-time parameters, or those of the one connection.
_NOT_SETTINGS: Final = frozenset({"user", "database", "client_encoding", "replication", "options"})


class Client:
    """Speaks for one connection, in turns: a transaction is one turn, a statement on its own another."""

    def __init__(
        self,
        transaction: Transaction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        options: Mapping[str, str],
    ) -> None:
        self.secret = secrets.randbits(31)
        self.last = "nothing yet"
        self._server, self._reader, self._writer = transaction, reader, writer
        self._out = wire.Outbox(writer.transport)
        self._settings = {name: value for name, value in options.items() if name not in _NOT_SETTINGS}
        self._prefix = b"c%x_" % self.secret
        self._active_at = time.monotonic()
        self._answered = asyncio.Event()
        self._answered.set()
        self._in_transaction = False
        self._failed = False
        self._rewritten: str | None = None  # the tag that ends the answer to a rewritten statement
        self._series = False  # some messages are out that a Sync will end
        self._unheard = False  # the Sync was not the client's
        self._writes = False  # a statement on its own has written, so that its end is a commit
        self._checking = False
        self._leaves_settings = False  # sticky: a prepared statement is not parsed again
        self._copying = False
        self._refusing = False
        self._left = False

    async def serve(self) -> None:
        """Pass on what the client says until it goes."""
        self._say(wire.greeting(self._server.told, self._server.pid, self.secret))
        frames = wire.Frames()
        while data := await self._reader.read(65536):
            self._active_at = time.monotonic()
            for message in frames.feed(data):
                if message[:1] == wire.TERMINATE:
                    return
                await self._take(message)

    async def leave(self) -> None:
        """Undo what is open, stop what is running, and give the turn to the next one."""
        self._writer.transport.abort()
        if self._left or self._server.holder is not self:
            return
        self._left = True
        self._in_transaction = False
        if self._series:
            self._go_on(wire.frame(wire.SYNC, b""), ends=True)
        if not self._answered.is_set():
            await self._stop()
        async with self._server.cancelling:
            if self._server.holder is self:
                self._server.execute(ROLLBACK)
                self._give_turn()

    def end_series(self) -> None:
        """Give the turn to those who wait, if this client has prepared a statement and left it at that."""
        if self._series and not self._in_transaction:
            self._unheard = True
            self._go_on(wire.frame(wire.SYNC, b""), ends=True)

    def idle_s(self) -> float:
        """How long the server has waited for this client's next statement, in seconds."""
        return time.monotonic() - self._active_at if self._answered.is_set() else 0.0

    # What the client says.

    async def _take(self, message: bytes) -> None:
        kind = message[:1]
        if kind == wire.COPY_DATA or kind in wire.COPY_ENDS:
            self._copying &= kind == wire.COPY_DATA
            self._server.send(message)
            return
        await self._answered.wait()
        if self._refusing or not await self._has_turn():
            self._refuse(kind)
            return
        self._note(message)
        if kind == wire.QUERY:
            self._query(message)
        else:
            self._go_on(wire.renamed(message, self._prefix), ends=kind == wire.SYNC)

    def _query(self, message: bytes) -> None:
        control = _CONTROL.fullmatch(wire.query_text(message))
        if control is None or (control["begin"] and self._in_transaction):
            self._ask(message)
        elif control["begin"]:
            read_only = "; SET TRANSACTION READ ONLY" if "read only" in control["modes"].lower() else ""
            self._in_transaction = True
            self._rewrite(f"{BEGIN}{read_only}", control["more"], "BEGIN")
        else:
            self._in_transaction = False
            commits = control["commit"] and not self._failed
            self._rewrite(COMMIT if commits else ROLLBACK, control["more"], "COMMIT" if commits else "ROLLBACK")

    def _rewrite(self, text: str, more: str | None, tag: str) -> None:
        self._rewritten = tag
        self._ask(wire.query(f"{text}; {more or ''}"))

    def _ask(self, message: bytes) -> None:
        self._go_on(message, ends=True)

    def _go_on(self, message: bytes, *, ends: bool) -> None:
        """Send one of a series of messages that one ReadyForQuery answers: after a Sync, or a Query, which *ends* it.

        asyncpg prepares a statement without a Sync, and forgets it when it cannot encode a value.
        """
        (self._server.send(message) if self._series else self._server.ask(message, self))
        self._series = not ends
        if ends:
            self._answered.clear()

    def _note(self, message: bytes) -> None:
        if message[:1] in {wire.QUERY, wire.PARSE}:
            self.last = wire.query_text(message)
            self._leaves_settings |= _LEAVES_SETTINGS.search(message) is not None
        if self._leaves_settings:
            self._server.forget_settings()

    # What the server says.

    def heard(self, message: bytes) -> None:
        """Pass on a part of the server's answer."""
        kind = message[:1]
        self._copying |= kind == wire.COPY_IN
        if kind == wire.COPY_IN and self._left:
            self._fail_copy()  # the server waits for rows, and does not listen to a cancellation
        if kind == wire.COMMAND_COMPLETE:
            self._writes |= message[5:].startswith(_WRITES)
            if self._rewritten or self._checking:
                return
        self._say(message)

    def ready(self, status: bytes) -> None:
        """End the answer, and this client's turn if its transaction or its single statement is over."""
        if status == wire.IDLE:
            self._server.ended_by = self.last
        tag, self._rewritten, self._copying = self._rewritten, None, False
        failed = status == wire.FAILED
        writes, self._writes = self._writes, False
        checked, self._checking = self._checking, False
        if writes and status == wire.IN_TRANSACTION and not (self._in_transaction or tag or checked):
            self._checking = True
            self._server.ask(wire.query(COMMIT), self)
            return
        if failed and (tag or not self._in_transaction):
            self._in_transaction = False
            self._server.execute(ROLLBACK)
        elif not (self._in_transaction or tag or checked):
            self._server.execute(NEXT)
        self._failed = failed and self._in_transaction
        if tag and not failed:
            self._say(wire.frame(wire.COMMAND_COMPLETE, tag.encode() + b"\0"))
        if not self._unheard:
            self._say(wire.ready(status if self._in_transaction else wire.IDLE))
        self._unheard = False
        self._active_at = time.monotonic()
        self._answered.set()
        if not self._in_transaction:
            self._give_turn()

    def _say(self, message: bytes) -> None:
        self._out.write(message)

    # Whose turn it is.

    async def _has_turn(self) -> bool:
        while self._server.holder is not self:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._server.turn.acquire()
            except TimeoutError:
                holder = self._server.holder
                if holder is not None and holder.idle_s() > PATIENCE_S:
                    return False
                if holder is not None and holder.idle_s() > _LOOK_S:
                    holder.end_series()
            else:
                self._server.holder = self
                self._server.use(self._settings)
        return True

    def _give_turn(self) -> None:
        if self._server.holder is self:
            self._server.holder = None
            self._server.turn.release()

    def _refuse(self, kind: bytes) -> None:
        if not self._refusing:
            self._refusing = True
            holder = self._server.holder
            self._say(
                wire.error(
                    "55P03",
                    f"the sandbox has one transaction, and another connection has kept it open without a word for "
                    f"{PATIENCE_S:.0f} s, since {holder.last if holder else ''!r}. End that transaction first, or mark "
                    "the test with pytest.mark.database, where connections are apart.",
                )
            )
        if kind in {wire.SYNC, wire.QUERY}:
            self._refusing = False
            self._say(wire.ready(wire.IDLE))

    async def _stop(self) -> None:
        if self._copying:
            self._fail_copy()
        else:
            await self._server.cancel(self)
        await self._answered.wait()

    def _fail_copy(self) -> None:
        self._server.send(wire.frame(b"f", b"the client is gone\0"))
