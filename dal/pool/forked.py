"""What a process that is forked off inherits of a pool: nothing that it could speak on.

Whatever it does to a connection, or whoever collects it at its end, would otherwise be heard by the server in the
middle of what the parent says; and where the loop is inherited too, the parent's would hear no more of a socket that
the child closes. Refuses: touching anything of the parent's.

A connection that is still being opened at the moment of the fork is not known yet.
"""

from __future__ import annotations

import os
import socket
from typing import Final, Protocol
from weakref import WeakSet


class Heir(Protocol):
    """What must not be used in a process that was forked off."""

    def leave_behind(self) -> None:
        """Be of no use in this process."""
        ...


_heirs: Final[WeakSet[Heir]] = WeakSet()


def part_at_fork(heir: Heir) -> None:
    """Have *heir* told in each process that is forked off from now on."""
    _heirs.add(heir)


def deaden(connected: socket.socket) -> None:
    """Put a dead socket in the place of *connected*, in this process alone: what is said there reaches nobody."""
    if connected.fileno() < 0:
        return
    dead, other = socket.socketpair()
    other.close()
    with dead:
        os.dup2(dead.fileno(), connected.fileno(), inheritable=False)


def _part() -> None:
    for heir in list(_heirs):
        heir.leave_behind()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_part)
