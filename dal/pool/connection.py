"""asyncpg's connection, whose transactions begin and end for sure, and which tells that it is busy also with a script.

It speaks in its own loop, thread and process alone, also for those who had it before they went elsewhere.

The one place that adds to what the driver sends: a transaction's options ride in BEGIN's own message, and cost no round
trip. Refuses: knowing what the options are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import asyncpg

from dal.pool.driver import forget_protocol, socket_of
from dal.pool.driver_transaction import DriverTransaction
from dal.pool.forked import deaden, part_at_fork
from dal.pool.last_words import LastWords
from dal.pool.place import Place

_NUMBER: Final = "dal.transaction "
# An INFO reaches the client whatever client_min_messages is; its answer to BEGIN has no room for rows.
_TELL_NUMBER: Final = (
    f"DO 'BEGIN RAISE INFO USING MESSAGE = pg_catalog.concat_ws($$ $$, $${_NUMBER.strip()}$$, pg_current_xact_id(), "
    "extract(epoch from pg_stat_get_bgwriter_stat_reset_time()), pg_backend_pid()); END'"
)


class TransactionNumber(NamedTuple):
    """What the server knows a transaction by.

    `life` tells one life of the server from the next: a crash may give a number to another transaction.
    """

    number: str
    life: str
    backend: int


class Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg ships no types
    """A connection whose transactions are `DriverTransaction`, and that knows the server's `last_words`."""

    __slots__ = ("begun_at", "last_words", "number", "opening", "parsed_at", "place", "tag")
    last_words: LastWords

    def __init__(self, *arguments: Any) -> None:
        self.place = Place()
        self.place.check()
        super().__init__(*arguments)
        # What follows the next BEGIN in its message: modes, then statements.
        self.opening: str | None = None
        # Of the transaction that began last, if it was to be numbered.
        self.number: TransactionNumber | None = None
        # How many statements were sent when one was last parsed: the server waits for its Bind, and holds its locks.
        self.parsed_at = -1
        # The same of when a BEGIN was cancelled, which may have been done all the same.
        self.begun_at = -1
        # What the last script was answered: ROLLBACK to a COMMIT means that there was nothing to commit.
        self.tag = ""
        part_at_fork(self)

    @property
    def _pool_release_ctr(self) -> int:
        # What asyncpg asks before each use of a statement, a transaction or a cursor that somebody has kept.
        self.place.check()
        return 0

    @_pool_release_ctr.setter
    def _pool_release_ctr(self, _: int) -> None:
        """Asyncpg's own pool would count here."""

    def _check_open(self) -> None:
        self.place.check()
        super()._check_open()

    def is_in_transaction(self) -> bool:
        """Tell whether a transaction is open, as the server last said."""
        self.place.check()
        return bool(super().is_in_transaction())

    def leave_behind(self) -> None:
        """Be closed in this process, without a word to the server."""
        connected = None if self.is_closed() else socket_of(self)
        if connected is not None:
            deaden(connected)
        forget_protocol(self)

    def transaction(self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False) -> Any:
        """Make a transaction, not begun."""
        self._check_open()
        return DriverTransaction(self, isolation, readonly, deferrable)

    async def prepare_kept(self, query: str) -> Any:
        """Prepare *query* as `fetch` does, among the statements that the connection keeps, and give it to look at.

        What `prepare` gives is closed again, in a round trip of its own.
        """
        self._check_open()
        return await self._prepare(query, use_cache=True)

    def forget_statements(self) -> None:
        """Forget what is prepared, on all connections, as `fetch` does when the server says that it is outdated."""
        self._drop_global_statement_cache()

    def open_with(self, opening: str, *, numbered: bool) -> None:
        """Send *opening* with the next BEGIN; if *numbered*, `number` is known once that is answered."""
        # What is known of an earlier transaction must not be told of this one.
        self.number, self.tag = None, ""
        self.opening = f"{opening}; {_TELL_NUMBER}" if numbered else opening or None

    def note_begun(self) -> None:
        """Take note that a BEGIN was cancelled: nobody knows of its transaction, and nobody will end it."""
        protocol: Any = self._protocol
        self.begun_at = -1 if protocol is None else protocol.queries_count

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run *query*, or several of them if there are no *args*."""
        if args:
            return str(await super().execute(query, *args, timeout=timeout))
        if self.opening is not None and query.startswith("BEGIN"):
            query, self.opening = f"{query.removesuffix(';')} {self.opening}", None
        # asyncpg does so for what it prepares: by this the pool sees whether a connection is given back too early.
        with self._stmt_exclusive_section:
            try:
                self.tag = str(await super().execute(query, timeout=timeout))
            except AttributeError:  # asyncpg's, of the answer that there was nothing to run: it has no tag
                self.tag = ""
        return self.tag

    async def _get_statement(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super()._get_statement(*arguments, **options)
        finally:
            protocol: Any = self._protocol
            if protocol is not None:  # None of a connection that was cut off meanwhile
                self.parsed_at = protocol.queries_count

    async def _copy_in(self, copy_stmt: str, source: Any, timeout: float | None) -> str:
        with self._stmt_exclusive_section:
            try:
                return str(await super()._copy_in(copy_stmt, source, timeout))
            except asyncpg.InternalClientError:
                # The server has said that it ends the connection while rows were written: asyncpg has lost its place,
                # and would say until the very end that another operation is in progress.
                self.terminate()
                raise

    async def copy_records_to_table(self, *args: Any, **options: Any) -> str:
        """Load records by a binary COPY."""
        with self._stmt_exclusive_section:
            return str(await super().copy_records_to_table(*args, **options))

    async def _copy_out(self, copy_stmt: str, output: Any, timeout: float | None) -> str:
        with self._stmt_exclusive_section:
            return str(await super()._copy_out(copy_stmt, output, timeout))

    async def end_command(self) -> None:
        """Ask the server to end what it runs, by a connection of its own; what it runs is answered all the same.

        Not by cancelling who waits for it: asyncpg loses its place in a COPY whose rows are being taken meanwhile.
        """
        asked = asyncio.get_running_loop().create_future()
        await self._cancel(asked)
        await asked

    def _process_log_message(self, fields: Mapping[str, str], last_query: str) -> None:
        words = fields.get("M", "")
        if words.startswith(_NUMBER):
            number, life, backend = words.removeprefix(_NUMBER).split()
            self.number = TransactionNumber(number, life, int(backend))
        else:
            super()._process_log_message(fields, last_query)
