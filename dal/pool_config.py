"""How a pool is cut: how many connections, for how long, and how many may wait for them.

Refuses: anything that connects.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from dal.errors import ConfigError

Recycling = Literal["fast", "verified", "clean"]

# What PostgreSQL keeps for superusers unless told otherwise (superuser_reserved_connections).
_RESERVED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """How many connections, for how long, and who may wait.

    Sizes count connections, `max_waiting` counts tasks, the rest are seconds.
    """

    # Ten connections keep two cores of a server busy with point reads; more only queue inside the server.
    size: int = 10
    # A burst above the size would open connections only to close them again: waiting is cheaper.
    max_overflow: int = 0
    # How many stay open however little there is to do; None is all of them. An open connection costs the server some
    # MiB, a missing one costs a request the handshake.
    min_idle: int | None = None
    # Longer than any healthy queue, shorter than the 10 s after which load balancers give up.
    checkout_timeout_s: float = 5.0
    # A TCP handshake, TLS and SCRAM take milliseconds; a server that needs longer is not there.
    connect_timeout_s: float = 5.0
    # After a failover or a change of password every connection is new within half an hour. Up to a tenth less, by
    # chance, so that connections opened together do not end together.
    max_lifetime_s: float = 1800.0
    # Ten quiet minutes say that the burst is over; only what is above min_idle is closed.
    idle_timeout_s: float = 600.0
    # Below the five minutes after which firewalls and load balancers forget a silent connection.
    keepalive_s: float = 120.0
    # A hundred for each connection of the default size: more could not be served within the checkout timeout anyway.
    max_waiting: int = 1000
    # In an overload a wait longer than this is cut short: a fifth of the 250 ms after which people notice.
    admission_target_s: float = 0.05
    # No unit of work of a service is open for a minute, unless somebody forgot it.
    leak_after_s: float = 60.0
    # A transaction that waits for anything but its own statements blocks vacuum and holds its locks.
    idle_in_transaction_s: float = 10.0
    # What is done to a connection that comes back: nothing that costs a round trip, a ping, or a reset of the session.
    recycling: Recycling = "fast"
    # How many processes open a pool like this one: the server's limits are compared with all of them.
    processes: int = 1

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            number = getattr(self, name)
            if number is None and name == "min_idle":
                continue
            if type(number) is not int:
                raise ConfigError(f"PoolConfig.{name} is {number!r}; it must be a whole number.")
            if number < least:
                raise ConfigError(f"PoolConfig.{name} is {number}; it must be {least} or more.")
        for name in _SECONDS:
            if not isinstance(getattr(self, name), int | float):
                raise ConfigError(f"PoolConfig.{name} is {getattr(self, name)!r}; it must be a number of seconds.")
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"PoolConfig.{name} is {getattr(self, name)}; it must be more than 0 s, and finite.")
        if self.recycling not in get_args(Recycling):
            known = ", ".join(get_args(Recycling))
            raise ConfigError(f"PoolConfig.recycling is {self.recycling!r}; it must be one of {known}.")
        if self.min_idle is not None and self.min_idle > self.size:
            raise ConfigError(f"PoolConfig.min_idle is {self.min_idle}; it must be {self.size} or less, the size.")

    @classmethod
    def for_processes(
        cls, processes: int, *, max_connections: int, reserved: int = _RESERVED, max_overflow: int = 0, **more: Any
    ) -> PoolConfig:
        """Share out a server's *max_connections*, less *reserved* ones, between *processes*.

        `SHOW max_connections` tells the first; *reserved* is what superusers and other applications need. Raises
        `ConfigError` if there is less than one for each.
        """
        size = (max_connections - reserved) // max(processes, 1) - max_overflow
        if processes < 1 or size < 1:
            raise ConfigError(
                f"{max_connections} connections, less {reserved} reserved, cannot be shared by {processes} processes: "
                "raise max_connections, or put a pooler such as PgBouncer between."
            )
        return cls(size=size, max_overflow=max_overflow, processes=processes, **more)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> PoolConfig:
        """Read `DAL_POOL_SIZE`, `DAL_POOL_CHECKOUT_TIMEOUT_S` and so on: one variable per field, all optional."""
        given = {field.name: _read(field.name, environ) for field in fields(cls)}
        return cls(**{name: value for name, value in given.items() if value is not None})


_LEAST: Final = {"size": 1, "max_overflow": 0, "min_idle": 0, "max_waiting": 0, "processes": 1}
_SECONDS: Final = tuple(field.name for field in fields(PoolConfig) if field.name.endswith("_s"))


def _read(field: str, environ: Mapping[str, str]) -> Any:
    name = f"DAL_POOL_{field.upper()}"
    text = environ.get(name)
    if text is None or field == "recycling":
        return text
    try:
        number = float(text)
    except ValueError as error:
        raise ConfigError(f"{name} is {text!r}; it must be a number.") from error
    if field in _SECONDS:
        return number
    if not number.is_integer():
        raise ConfigError(f"{name} is {number}; it must be a whole number.")
    return int(number)
