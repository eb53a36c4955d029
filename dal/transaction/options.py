"""What a transaction may be asked to be, and how BEGIN's own message asks for it. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypedDict

from dal.errors import ConfigError
from dal.sendable import is_name, is_sendable

Isolation = Literal["read committed", "repeatable read", "serializable"]

_ISOLATIONS: Final = ("read committed", "repeatable read", "serializable")
# A server's timeout comes before the client's, so that the statement ends with an answer.
_EARLIER: Final = 0.1
_EARLIER_AT_MOST_S: Final = 0.1
_SECONDS: Final = ("statement_timeout_s", "lock_timeout_s", "timeout_s")
_MOST_MS: Final = 2**31 - 1


class TransactionOptions(TypedDict, total=False):
    """How a transaction differs from the server's defaults. None of it costs a round trip, or outlives the transaction.

    `timeout_s` is for the whole, from its beginning to its COMMIT; the server is told to end a statement a little
    before. `lock_timeout_s` is for each lock. `settings` are for row-level security and the like, by full name
    (`app.tenant`); with one that has no dot, such as `search_path`, BEGIN takes the snapshot. `role` is as by SET ROLE.
    `verify_commit` makes the outcome of a lost COMMIT known: BEGIN also assigns the transaction its number, which takes
    the server some 70 us, and a transaction that only reads would have none.
    """

    isolation: Isolation
    read_only: bool
    deferrable: bool
    statement_timeout_s: float
    lock_timeout_s: float
    timeout_s: float
    settings: Mapping[str, str]
    role: str
    verify_commit: bool


def opening(options: TransactionOptions) -> str:
    """Give what follows the word BEGIN, modes and statements; raises `ConfigError` for what cannot be meant."""
    _check(options)
    return "; ".join([", ".join(_modes(options)), *_statements(options)])


def server_timeout_s(options: TransactionOptions) -> float | None:
    """Say after how many seconds the server is to end a statement; None leaves it to the server."""
    limits = [options["statement_timeout_s"]] if "statement_timeout_s" in options else []
    if "timeout_s" in options:
        whole_s = float(options["timeout_s"])
        limits.append(whole_s - min(_EARLIER_AT_MOST_S, whole_s * _EARLIER))
    return min(limits, default=None)


def _statements(options: TransactionOptions) -> Iterator[str]:
    timeout_s = server_timeout_s(options)
    if timeout_s is not None:
        yield f"SET LOCAL statement_timeout = {_ms(timeout_s)}"
    if "lock_timeout_s" in options:
        yield f"SET LOCAL lock_timeout = {_ms(options['lock_timeout_s'])}"
    for name, value in options.get("settings", {}).items():
        yield _setting(name, value)
    if "role" in options:
        yield f"SET LOCAL ROLE {_identifier('role', options['role'])}"


def _modes(options: TransactionOptions) -> Iterator[str]:
    if "isolation" in options:
        yield f"ISOLATION LEVEL {options['isolation'].upper()}"
    if "read_only" in options:
        yield "READ ONLY" if options["read_only"] else "READ WRITE"
    if options.get("deferrable"):
        yield "DEFERRABLE"


def _setting(name: str, value: str) -> str:
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without a type checker
        raise ConfigError(f"settings[{name!r}] is of type {type(value).__name__}; give a str.")
    if "." in name:
        # Unlike a SELECT it takes no snapshot: a LOCK TABLE may still come first.
        parts = ".".join(_identifier("setting", part) for part in name.split("."))
        return f"SET LOCAL {parts} = {_literal(name, value)}"
    # PostgreSQL's own settings may be lists, and SET would take "a, b" for one name.
    return f"SELECT pg_catalog.set_config({_literal(name, name)}, {_literal(name, value)}, true)"


def _identifier(what: str, name: str) -> str:
    if not is_name(name):
        raise ConfigError(f"{name!r} is no name of a {what}.")
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _literal(name: str, value: str) -> str:
    if not is_sendable(value):
        raise ConfigError(f"settings[{name!r}] has a NUL in it, or is no UTF-8, which PostgreSQL cannot store.")
    # E'' means the same whatever standard_conforming_strings says.
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _ms(seconds: float) -> int:
    return max(1, round(min(seconds * 1000, _MOST_MS)))  # 0 would mean none


def _check(options: TransactionOptions) -> None:
    unknown = options.keys() - TransactionOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"a transaction has no option {', '.join(sorted(unknown))}.")
    if options.get("isolation", _ISOLATIONS[0]) not in _ISOLATIONS:
        raise ConfigError(f"isolation is {options.get('isolation')!r}; it can be {', '.join(_ISOLATIONS)}.")
    for name in _SECONDS:
        seconds = options.get(name, 1.0)
        if not isinstance(seconds, int | float) or not 0 < seconds <= sys.float_info.max:
            raise ConfigError(f"{name} is {seconds!r}; it must be more than 0 seconds.")
    if options.get("deferrable") and not (options.get("isolation") == "serializable" and options.get("read_only")):
        raise ConfigError("deferrable means something only with isolation='serializable' and read_only=True.")
