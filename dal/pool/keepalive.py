"""A network that swallows everything is noticed by the kernel, also by a task that waits for its COMMIT.

No timeout of the application's can end such a wait: how long a COMMIT takes is the server's affair. But a server that
is there answers the kernel's probes, whatever it is doing. libpq asks for them too, asyncpg does not.
"""

from __future__ import annotations

import socket
from typing import Final

import asyncpg

from dal.pool.driver import socket_of

# After half a minute of silence three probes, ten seconds apart: the connection breaks a minute after the network.
_OPTIONS: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


def keep_alive(driver: asyncpg.Connection) -> None:
    """Let the kernel probe the socket of *driver*; does nothing to a unix socket."""
    connected = socket_of(driver)
    if connected is None or connected.family == socket.AF_UNIX:
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS.items():
        if hasattr(socket, name):  # not every platform has all of them
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
