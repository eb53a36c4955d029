"""What the pool must know of a connection, and neither asyncpg nor SQLAlchemy's adapter over it says in public.

Every private name is held by a contract test.
"""

# ruff: noqa: SLF001 # private names are what this module is for

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import asyncpg


class Watched:
    """A connection of asyncpg's, under SQLAlchemy's *connection*, and what it is doing."""

    __slots__ = (
        "_cache", "_in_transaction", "_is_locked", "_protocol", "_section", "connection", "driver", "is_cancelling",
        "is_open",
    )  # fmt: skip

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.driver: asyncpg.Connection = connection.driver_connection
        self._protocol: Any = self.driver._protocol
        self._section: Any = self.driver._stmt_exclusive_section
        self._cache: Any = connection._prepared_statement_cache
        self._in_transaction: Callable[[], bool] = self._protocol.is_in_transaction
        self._is_locked: Callable[[], bool] = connection._execute_mutex.locked
        self.is_open: Callable[[], bool] = self._protocol.is_connected
        # Whether the server has not yet answered to the cancellation of a statement.
        self.is_cancelling: Callable[[], bool] = self._protocol._is_cancelling

    @property
    def is_busy(self) -> bool:
        """Whether somebody still waits for a statement, or a cancelled one is not answered yet."""
        return self.is_cancelling() or self._is_locked() or bool(self._section._acquired)

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, as the server last said."""
        return self.is_open() and self._in_transaction()

    @property
    def is_at_rest(self) -> bool:
        """Whether the next one may have it as it is."""
        # Not by is_busy: this is asked at every checkin.
        return not (self._in_transaction() or self.is_cancelling() or self._is_locked() or self._section._acquired)

    @property
    def is_parsed_only(self) -> bool:
        """Whether a statement may have been parsed and never run: its task was cancelled, or its values do not fit.

        The driver ends a Parse without a Sync, so the server is in a transaction, and the driver does not know.
        """
        return bool(self.driver.parsed_at == self._protocol.queries_count)  # type: ignore[attr-defined,unused-ignore] # dal's own

    @property
    def is_begun_only(self) -> bool:
        """Whether all that it is in is a transaction whose BEGIN was cancelled, and done all the same."""
        is_last = self.driver.begun_at == self._protocol.queries_count  # type: ignore[attr-defined,unused-ignore] # dal's own
        return bool(is_last and self._in_transaction() and not self.is_busy)

    def forget_transaction(self) -> None:
        """Forget a transaction whose BEGIN was cancelled; the next one would be a savepoint in it."""
        self.driver._top_xact = None

    def forget_opening(self) -> None:
        """Forget what was to go with a BEGIN that never went out: its settings are nobody else's."""
        self.driver.opening = None  # type: ignore[attr-defined,unused-ignore] # the driver's connections are dal's own

    def forget_listeners(self) -> None:
        """Forget who listened: after UNLISTEN the server tells nothing, and the next one must LISTEN anew."""
        self.driver._listeners.clear()
        self.driver._log_listeners.clear()

    def mark(self) -> tuple[int, int]:
        """Note how many statements were sent until now: by anybody, and by SQLAlchemy."""
        return self._protocol.queries_count, self._cache._counter if self._cache is not None else 0

    def statement_since(self, mark: tuple[int, int]) -> str | None:
        """Give the text of the last statement that SQLAlchemy has sent since *mark*, None if there is none.

        It keeps what it has prepared in the order of its use: to look there costs nothing before it is asked.
        """
        if self._cache is None or self._cache._counter == mark[1]:
            return None
        return str(max(self._cache._data.values(), key=lambda entry: entry[2][0])[0])


def socket_of(driver: asyncpg.Connection) -> socket.socket | None:
    """Give the socket under *driver*, if it still has one."""
    connected: socket.socket | None = driver._transport.get_extra_info("socket")
    return connected


def is_encrypted(driver: asyncpg.Connection) -> bool:
    """Tell whether *driver* and its server agreed on TLS, whatever was asked for."""
    return driver._transport.get_extra_info("ssl_object") is not None


def host_of(driver: asyncpg.Connection) -> str:
    """Give the host that *driver* was told to connect to, or the path of its unix socket."""
    return driver._addr if isinstance(driver._addr, str) else str(driver._addr[0])


def peer_of(driver: asyncpg.Connection) -> str | None:
    """Give the IP address that *driver* is connected to, None for a unix socket."""
    peer = driver._transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else None


def forget_protocol(driver: asyncpg.Connection) -> None:
    """Make *driver* as one that was terminated, without a word to the server."""
    driver._aborted, driver._protocol = True, None
