"""A connection of the code under test: what it says goes to the one transaction, in turns.

A transaction is one turn, a statement on its own another. Refuses: knowing how BEGIN and COMMIT are rewritten.
"""

from __future__ import annotations

import asyncio
import enum
import secrets
import time
from collections import deque
from typing import Final, cast

from dal.testing import wire
from dal.testing.sandbox import statements
from dal.testing.sandbox.statements import BEGUN, Step
from dal.testing.sandbox.transaction import Transaction

# How the answers to statements that write begin.
_WRITES: Final = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY", b"DO", b"CALL")
# What ends one statement of several.
_ENDS: Final = (wire.COMMAND_COMPLETE, wire.SUSPENDED)
# Startup options that are no run-time parameters, or those of the one connection.
_NOT_SETTINGS: Final = frozenset({"user", "database", "client_encoding", "replication"})
# A client that reads slowly, and asks elsewhere meanwhile, is not held up by an answer of this size.
_AHEAD_BYTES: Final = 16 << 20
_AHEAD_MESSAGES: Final = 64


class Phase(enum.Enum):
    """What a client is about."""

    STARTING = enum.auto()  # it has not said who it is
    IDLE = enum.auto()  # it has asked nothing
    WAITING = enum.auto()  # for its turn
    SERIES = enum.auto()  # it has said messages that a Sync will end
    ASKED = enum.auto()  # it waits for an answer
    COPYING = enum.auto()  # the server waits for its rows
    INTERRUPTED = enum.auto()  # its series has been ended without it
    REFUSED = enum.auto()  # what it says is passed over, up to the next Sync
    GONE = enum.auto()


# In these it is the client whose word is waited for.
_SPEAKS: Final = frozenset({Phase.IDLE, Phase.SERIES, Phase.COPYING})


class Client(asyncio.Protocol):
    """Speaks for one connection; one of *clients* until it is gone and what it left open is undone."""

    def __init__(self, transaction: Transaction, clients: dict[int, Client], database: str) -> None:
        self.secret = secrets.randbits(31)
        self.last = "nothing yet"
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server, self._clients, self._database = transaction, clients, database
        self._frames = wire.Frames(is_startup=True)
        self._said: deque[bytes] = deque()
        self._phase = Phase.STARTING
        self._status = wire.IDLE  # the transaction's, as the client knows it
        self._owes: str | None = None  # what ends a statement on its own
        self._steps: deque[Step] = deque()  # what the ends of the statements that are under way mean
        self._ends_by = wire.QUERY  # what the last question ended with
        self._controls: dict[bytes, Step] = {}  # prepared statements that begin or end a transaction
        self._bound: dict[bytes, Step | None] = {}
        self._names = 0  # how often the client has given up all its prepared statements
        self._settings: tuple[str, ...] = ()
        self._own: list[str] = []  # settings that hold if the transaction is committed
        # These stay: a prepared statement is not parsed again.
        self._sets_locally = False
        self._leaves: dict[str, None] = {}
        self._misfit: bytes | None = None  # why the server does not take the settings
        self._is_slow = False
        self._active_at = time.monotonic()

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for who it is."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_AHEAD_BYTES)
        self._out = wire.Outbox(self._transport)
        self._clients[self.secret] = self

    def data_received(self, data: bytes) -> None:
        """Take what the client says, as far as it is its turn."""
        self._active_at = time.monotonic()
        try:
            for message in self._frames.feed(data):
                if self._phase is Phase.STARTING:
                    self._start(message)
                elif self._phase is not Phase.GONE:
                    wire.said(message)
                    self._said.append(message)
        except wire.Garbage as error:
            self._end(wire.error("08P01", f"the sandbox does not understand {error}", "FATAL"))
        self.go_on()

    def pause_writing(self) -> None:
        """Let the server wait until this client has read what it asked for."""
        if self._server.turns.holder is self:
            self._is_slow = True
            self._server.listen(self, listens=False)

    def resume_writing(self) -> None:
        """Go on where `pause_writing` stopped."""
        self._is_slow = False
        self._server.listen(self, listens=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Undo what is open."""
        self.leave()

    def leave(self) -> None:
        """Undo what is open, stop what is running, and give the turn to the next one; `gone` when that is done."""
        phase, self._phase = self._phase, Phase.GONE
        if phase is Phase.GONE:
            return
        self._transport.abort()
        self._said.clear()
        self._server.turns.forget(self)
        self.resume_writing()
        if self._status != wire.IDLE:
            self._status, self._owes = wire.IDLE, statements.ROLLBACK
            self._steps.clear()
        if self._server.turns.holder is not self:
            self._go()
        elif phase is Phase.IDLE:
            self._server.execute(statements.ROLLBACK)
            self._finish()
        elif phase is Phase.COPYING:
            self._fail_copy()
        else:
            if phase is Phase.SERIES:
                self._server.send(wire.SYNC_MESSAGE)
            self._server.cancel(self)

    def _end(self, error: bytes) -> None:
        self._out.write(error)
        self._out.flush()
        self._transport.close()
        self.leave()

    def _go(self) -> None:
        self._clients.pop(self.secret, None)
        if not self.gone.done():
            self.gone.set_result(None)

    # What the client says.

    def _start(self, message: bytes) -> None:
        code, body = int.from_bytes(message[4:8]), message[8:]
        if code in wire.ENCRYPTIONS:
            self._out.write(b"N")
        elif code == wire.CANCEL:
            client = self._clients.get(int.from_bytes(body[4:8]))
            cancelling = client and client.cancel()
            cancelling.add_done_callback(lambda _: self.leave()) if cancelling else self.leave()
        elif code >> 16 != wire.VERSION:
            raise wire.Garbage(f"version {code >> 16} of the protocol")
        else:
            self._greet(wire.startup_options(body))

    def _greet(self, options: dict[str, str]) -> None:
        database, user = options.get("database", self._database), options.get("user")
        if database != self._database:
            self._end(wire.error("3D000", f"the sandbox is database {self._database!r}, not {database!r}", "FATAL"))
            return
        given = {name: value for name, value in options.items() if name not in _NOT_SETTINGS}
        user_set = {"session_authorization": user} if user and user != self._server.user else {}
        self._settings = self._first_settings = statements.settings(user_set | given)
        lower = {name.lower(): value for name, value in given.items()}
        told = {name: lower.get(name.lower(), value) for name, value in self._server.told.items()}
        self._frames.is_startup, self._phase = False, Phase.IDLE
        self._out.write(wire.greeting(told, self._server.pid, self.secret))

    def go_on(self) -> None:
        """Take what the client has said, as far as it is its turn; it says no more while much of it waits."""
        while self._said and self._may_take(self._said[0][:1]):
            self._take(self._said.popleft())
        # Nothing would be heard of its end either.
        (self._transport.pause_reading if len(self._said) > _AHEAD_MESSAGES else self._transport.resume_reading)()

    def _may_take(self, kind: bytes) -> bool:
        if kind == wire.TERMINATE or self._phase is Phase.REFUSED:
            return True
        if self._phase is Phase.IDLE and kind in wire.COPIES:
            return True
        if self._phase not in _SPEAKS or self._server.is_full:
            return False
        if self._server.turns.holder is self:
            return True
        if self._server.turns.take(self):
            self._server.use(self._settings, self._misfits)
            return True
        self._phase = Phase.WAITING
        return False

    def _take(self, message: bytes) -> None:
        kind = message[:1]
        if kind == wire.TERMINATE:
            self.leave()
        elif self._phase is Phase.REFUSED:
            if kind in wire.ENDS:
                self._phase = Phase.IDLE
                self._out.write(wire.ready(wire.IDLE))
        elif self._phase is Phase.COPYING or kind in wire.COPIES:
            self._copy(kind, message)
        elif kind == wire.QUERY:
            self._query(message)
        else:
            self._prepared(kind, message)

    def _copy(self, kind: bytes, message: bytes) -> None:
        if self._phase is not Phase.COPYING:
            return  # the rest of a COPY that has failed
        if kind in wire.COPIES:
            self._server.send(message)
        if kind in wire.COPY_ENDS:
            self._stop_copying()

    def _stop_copying(self) -> None:
        # The server passes over a Sync while it waits for rows: another one comes.
        self._phase = Phase.SERIES if self._ends_by == wire.SYNC else Phase.ASKED

    def _query(self, message: bytes) -> None:
        text = self._note(message)
        rewritten = statements.rewritten(text, self._status, self._leaves)
        if rewritten is None:
            self._ask(message)
            return
        said, steps = rewritten
        if steps == [BEGUN] and said == statements.NOTHING and self._phase is Phase.IDLE:
            self._status = wire.IN_TRANSACTION
            self._out.write(wire.completed(b"BEGIN") + wire.ready(self._status))  # no need to ask
            return
        self._names += any(step.says in statements.GIVE_UP_NAMES for step in steps)
        self._steps.extend(steps)
        self._ask(wire.query(said))

    def _prepared(self, kind: bytes, message: bytes) -> None:
        if kind == wire.PARSE:
            message = self._parse(message)
        elif kind == wire.BIND:
            portal, name = wire.named(message)
            self._bound[portal] = self._controls.get(name)
            if portal:
                self._leaves["CLOSE ALL"] = None
        elif kind == wire.EXECUTE:
            self._steps.append(self._bound.get(wire.named(message)[0]) or Step())
        self._ask(wire.renamed(message, b"c%x_%x_" % (self.secret, self._names)))

    def _parse(self, message: bytes) -> bytes:
        name, text = wire.named(message)[0], self._note(message)
        self._controls.pop(name, None)
        control = statements.control_of(text.rstrip("; \n"))
        if control is None:
            return message
        words, self._controls[name] = statements.prepared(control, self._status)
        return wire.parse(name, words)

    def _ask(self, message: bytes) -> None:
        """Send one of a series of messages that one ReadyForQuery answers: after a Sync, or a Query.

        asyncpg prepares a statement without a Sync, and forgets it when it cannot encode a value.
        """
        kind = message[:1]
        (self._server.send(message) if self._phase is Phase.SERIES else self._server.ask(message, self))
        self._owes = self._owes or statements.NEXT
        if kind in wire.ENDS:
            self._phase, self._ends_by = Phase.ASKED, kind
        else:
            self._phase, self._ends_by = Phase.SERIES, wire.SYNC

    def _note(self, message: bytes) -> str:
        self.last = text = wire.query_text(message)
        self._own += statements.sets(text)
        self._sets_locally = self._sets_locally or statements.sets_locally(text)
        self._leaves |= dict.fromkeys(statements.left_by(text))
        return text

    # What the server says.

    def heard(self, message: bytes) -> None:
        """Pass on a part of the server's answer."""
        kind = message[:1]
        if kind == wire.COPY_IN:
            self._start_copying()
        elif kind == wire.ERROR:
            message = self._misfit or message
            if self._phase is Phase.COPYING:
                self._stop_copying()
        elif kind == wire.NOTICE and self._steps and self._steps[0].says is not None:
            return  # the sandbox's own doing
        elif kind in _ENDS:
            message = self._complete(message, self._steps.popleft() if self._steps else Step())
        if message and self._phase is not Phase.GONE:
            self._out.write(message)

    def ready(self, status: bytes) -> None:
        """End the answer, and this client's turn if its transaction or its single statement is over."""
        if status == wire.IDLE:
            self._server.ended_by, self._owes = self.last, None
        failed = status == wire.FAILED
        self._steps.clear()
        if self._status != wire.IDLE:
            self._status = status
        elif failed:
            self._own.clear()
            self._server.execute(statements.ROLLBACK)
        elif self._owes == statements.COMMIT:
            self._owes = None
            text, steps = statements.commit(self._leaves)
            self._steps.extend(steps)
            self._server.ask(wire.query(text), self)
            return
        elif self._owes:
            self._server.execute(self._owes)
        self._owes = self._misfit = None
        if self._status == wire.IDLE:
            self._keep_settings()
        if self._phase not in {Phase.INTERRUPTED, Phase.GONE}:
            self._out.write(wire.ready(self._status))
        self._finish()

    def _complete(self, message: bytes, step: Step) -> bytes:
        if self._owes == statements.ROLLBACK:
            return b""
        if step.status is not None:
            self._status = step.status
            self._owes = None if step.is_committed else statements.COMMIT
        elif self._status == wire.IDLE:
            self._owes = statements.COMMIT if message[5:].startswith(_WRITES) else self._owes or statements.NEXT
        if step.says == b"ROLLBACK":
            self._own.clear()
        return message if step.says is None else step.says and wire.completed(step.says)

    def _keep_settings(self) -> None:
        for setting in self._own:
            others = tuple(each for each in self._settings if each != setting)
            self._settings = self._first_settings if statements.resets_all(setting) else (*others, setting)
        if self._own:
            self._server.settings = self._settings
        if self._sets_locally or any(map(statements.resets_all, self._own)):
            self._server.settings = None  # what was set locally would outlive the unit of work that said it
        self._own.clear()

    def _finish(self) -> None:
        is_gone = self._phase is Phase.GONE
        if not is_gone:
            self._phase, self._active_at = Phase.IDLE, time.monotonic()
        if self._status == wire.IDLE:
            self._server.turns.give()
        self._go() if is_gone else self.go_on()

    def _start_copying(self) -> None:
        if self._phase is Phase.GONE:
            self._fail_copy()  # the server waits for rows, and does not listen to a cancellation
        else:
            self._phase = Phase.COPYING
            self.go_on()

    def _fail_copy(self) -> None:
        self._server.send(wire.frame(b"f", b"the client is gone\0"))
        if self._ends_by == wire.SYNC:
            self._server.send(wire.SYNC_MESSAGE)

    def _misfits(self, error: bytes) -> None:
        self._misfit = error

    # What others want of it.

    def has_turn(self) -> None:
        """Say what had to wait for the turn."""
        self._phase = Phase.IDLE
        self._server.use(self._settings, self._misfits)
        self.go_on()

    def refuse(self, error: bytes) -> None:
        """Answer with *error* what waits for its turn."""
        self._out.write(error)
        self._phase = Phase.REFUSED
        self.go_on()

    def idle_s(self) -> float:
        """Say for how many seconds others have waited for this client, rather than for the server."""
        waited_for = (self._phase in _SPEAKS and not self._server.is_full) or self._is_slow
        return time.monotonic() - self._active_at if waited_for else 0.0

    def end_series(self) -> None:
        """Give the turn to those who wait, if this client has prepared a statement and left it at that."""
        if self._phase is Phase.SERIES and self._status == wire.IDLE:
            self._phase = Phase.INTERRUPTED
            self._server.send(wire.SYNC_MESSAGE)

    def cancel(self) -> asyncio.Task[None] | None:
        """Stop what it asked, also if that only waits for its turn."""
        if self._phase is Phase.WAITING:
            self._server.turns.forget(self)
            self.refuse(wire.error("57014", "canceling statement due to user request"))
            return None
        return self._server.cancel(self)
