"""A network between dal and the server that can be cut, slowed and silenced, and that counts round trips.

A proxy on a loopback port, in a loop of its own. Its methods may be called while the test's loop runs: what they say
holds when they return. Refuses: anything but passing bytes on, or not.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, Literal

from sqlalchemy import URL

from dal.testing import wire
from dal.testing.background import Background

_CHUNK_BYTES: Final = 1 << 16
_READY: Final = b"Z\0\0\0\x05"  # how the last message of an answer begins
_FLUSH: Final = b"H\0\0\0\x04"  # asks for an answer that does not end so, as a Parse does


class Network:
    """Passes everything on, until it is told otherwise; `url` is the way through it to *target*."""

    def __init__(self, background: Background, target: URL) -> None:
        self.round_trips = 0
        self.held = 0  # connections that wait to be served
        self.delay_s = 0.0
        self.passing = _set_event()
        self.heard: list[list[str]] | None = None
        self.moment: Moment | None = None
        self._background = background
        self._target = target
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving = _set_event()
        self._refusing = False
        self._server = background.run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = target.set(host="127.0.0.1", port=self._server.sockets[0].getsockname()[1], query={})

    def cut(self) -> None:
        """Reset every connection; new ones are served."""
        self._do(self._reset)

    def cut_at(self, words: str, *, answered: bool, torn: bool = False) -> Moment:
        """Reset the connection that next says a statement beginning with *words*, such as COMMIT; gives when that is.

        Before the server hears it; with *answered*, when the server has done it and said so, but dal has not heard.
        With *torn*, when half of it, or of the answer, has gone through. Only the text of a statement is looked at: one
        that was prepared before goes by its number, and is not seen. Without any words it is whatever comes next.
        """
        return self._wait_for(Moment(words, "torn" if torn else "cut", answered=answered))

    def black_hole_at(self, words: str, *, answered: bool) -> Moment:
        """Pass nothing on any more on the connection that next says such a statement; `heal()` resets it."""
        return self._wait_for(Moment(words, "black hole", answered=answered))

    def delay(self, seconds: float) -> None:
        """Keep everything that the server says for *seconds* before it is passed on."""
        self._do(lambda: setattr(self, "delay_s", seconds))

    def black_hole(self) -> None:
        """Pass nothing on, in neither direction, and close nothing: as a firewall does that has forgotten."""
        self._do(self.passing.clear)

    def hold(self) -> None:
        """Accept new connections, and say nothing to them."""
        self._do(self._serving.clear)

    def refuse(self) -> None:
        """Reset every new connection."""
        self._do(lambda: setattr(self, "_refusing", True))

    @contextmanager
    def listening(self) -> Generator[list[list[str]]]:
        """Give what is said to the server in the block, by round trips, message by message.

        A message is its kind's letter in PostgreSQL's protocol, with the text of the statement if it has one:
        `[["Q BEGIN;"], ["B", "E", "S"], ["Q COMMIT;"]]`. Not for connections that are opened in it.
        """
        heard: list[list[str]] = []
        self._do(lambda: setattr(self, "heard", heard))
        try:
            yield heard
        finally:
            self._do(lambda: setattr(self, "heard", None))

    def heal(self) -> None:
        """Pass everything on again, also what was kept back meanwhile."""
        self._do(self._heal)

    def close(self) -> None:
        """Cut everything, and listen no more."""
        self._background.run(self._close())

    def _wait_for(self, moment: Moment) -> Moment:
        self._do(lambda: setattr(self, "moment", moment))
        return moment

    def _do(self, change: Callable[[], object]) -> None:
        async def do() -> None:
            change()

        self._background.run(do())

    def _reset(self) -> None:
        for connection in self._connections:
            connection.reset()

    def _heal(self) -> None:
        self.delay_s, self.moment, self._refusing = 0.0, None, False
        for connection in self._connections:
            connection.leave_black_hole()
        self.passing.set()
        self._serving.set()

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 # asyncio calls this in a task
        self._tasks.add(task)
        try:
            if not self._refusing:
                self.held += 1
                await self._serving.wait()
                self.held -= 1
                await self._connect(reader, writer)
        except OSError:
            pass  # one side is gone, and so is the other
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await _dial(self._target)
        connection = _Connection(self, writer, server_writer)
        self._connections.add(connection)
        try:
            await connection.run(reader, server_reader)
        finally:
            self._connections.discard(connection)
            server_writer.transport.abort()


class Moment:
    """When something is done to a connection: at a statement, or at the server's answer to it; `has_come` tells."""

    def __init__(self, words: str, end: Literal["cut", "torn", "black hole"], *, answered: bool) -> None:
        self.end = end
        self.answered = answered
        self.has_come = False
        # A simple query, or a Parse with the name of a statement before its text.
        said = rb"(?:Q.{4}|P.{4}[^\0]*\0)\s*" + re.escape(words.encode()) if words else b""
        self._said = re.compile(said, re.IGNORECASE | re.DOTALL)

    def is_said_in(self, data: bytes) -> bool:
        """Tell whether *data*, which a client has said, is it."""
        return self._said.search(data) is not None


class _Connection:
    """One connection of the client's, and the one to the server that stands for it."""

    def __init__(self, network: Network, to_client: asyncio.StreamWriter, to_server: asyncio.StreamWriter) -> None:
        self._network = network
        self._to_client = to_client
        self._to_server = to_server
        self._answered = True
        self._at_answer: Moment | None = None
        self._end_of_answer = _READY
        self._left_black_hole: asyncio.Event | None = None
        self._frames = wire.Frames()
        self._trip: list[str] | None = None

    async def run(self, client: asyncio.StreamReader, server: asyncio.StreamReader) -> None:
        either = [asyncio.create_task(self._forward(client)), asyncio.create_task(self._back(server))]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
            await asyncio.gather(*either, return_exceptions=True)

    def reset(self) -> None:
        """End it, without a word to either side."""
        self._to_client.transport.abort()

    def leave_black_hole(self) -> None:
        """Reset the connection if it is in one."""
        if self._left_black_hole is not None:
            self._left_black_hole.set()

    async def _forward(self, client: asyncio.StreamReader) -> None:
        while said := await client.read(_CHUNK_BYTES):
            self._network.round_trips += self._answered
            self._hear(said)
            self._answered = False
            await self._network.passing.wait()
            moment = self._network.moment
            if moment is not None and moment.is_said_in(said):
                self._network.moment, moment.has_come = None, True
                if not moment.answered:
                    await self._end(moment, said, self._to_server)
                    return
                self._at_answer = moment
                self._end_of_answer = b"" if said.endswith(_FLUSH) else _READY
            self._to_server.write(said)
            await self._to_server.drain()

    async def _end(self, moment: Moment, said: bytes, to: asyncio.StreamWriter) -> None:
        if moment.end == "torn":
            to.write(said[: len(said) // 2])
            await to.drain()
        elif moment.end == "black hole":
            self._left_black_hole = asyncio.Event()
            await self._left_black_hole.wait()

    def _hear(self, said: bytes) -> None:
        if self._answered:  # whoever has an answer begins with a new message
            self._frames, self._trip = wire.Frames(), None
            if self._network.heard is not None:
                self._trip = []
                self._network.heard.append(self._trip)
        if self._trip is not None:
            self._trip.extend(map(_words_of, self._frames.feed(said)))

    async def _back(self, server: asyncio.StreamReader) -> None:
        while said := await server.read(_CHUNK_BYTES):
            self._answered = True
            if self._network.delay_s:
                await asyncio.sleep(self._network.delay_s)
            await self._network.passing.wait()
            if self._at_answer is None:
                self._to_client.write(said)
                await self._to_client.drain()
            elif self._end_of_answer in said:
                await self._end(self._at_answer, said, self._to_client)
                return


def _words_of(message: bytes) -> str:
    kind = message[:1].decode(errors="replace")
    return f"{kind} {wire.query_text(message)}" if message[:1] in {wire.QUERY, wire.PARSE} else kind


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def _dial(target: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = target.host or str(target.query.get("host", "localhost"))
    port = str(target.port or target.query.get("port", 5432))
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)
