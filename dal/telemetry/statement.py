"""One statement: its text, who sent it, what became of it, and what it cost.

Refuses: values of parameters; of them there is a salted hash, only to tell whether two statements had the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from time import perf_counter
from types import CodeType, TracebackType
from typing import Any, Final, Self

from dal.call_site import CallSite
from dal.telemetry.fingerprint import Fingerprint, fingerprint

# A statement for so many keys is for many rows by itself, and one of the chunks that there are if there are more.
SET: Final = 20
# So many values of a list are looked at: a statement of many rows must not cost more than one of few.
_LOOKED_AT: Final = 64


class Statement:
    """One statement; of times and rows, what is not known, or not yet, is None.

    `wait_s` is how long its task waited for a connection of the pool, which a task that has one need not. `execute_s`
    is until the server has answered and the driver has taken the rows in; of a stream, all of its batches. `decode_s`
    is how long it took to make objects of the rows. `elapsed_s` is the sum of what is known, once the server has
    answered. `error` is the name of the driver's error.
    """

    # No dataclass: with its defaults, one takes twice as long to make.
    __slots__ = ("_started", "decode_s", "error", "execute_s", "line", "rows", "text", "values", "wait_s")

    def __init__(self, text: str, line: tuple[CodeType | None, int], values: int | None) -> None:
        self.text = text
        self.line = line
        # Of its parameters, hashed; None if that is not known, or of a set of rows.
        self.values = values
        self.wait_s: float | None = None
        self.execute_s: float | None = None
        self.decode_s: float | None = None
        self.rows: int | None = None
        self.error: str | None = None
        self._started = perf_counter()

    @property
    def call_site(self) -> CallSite:
        """The application's line that sent it; line 0 of "?" if it was sent by a task with no such line."""
        return CallSite.at(*self.line)

    @property
    def fingerprint(self) -> Fingerprint:
        """What it has in common with others that differ in literals and the lengths of lists."""
        return fingerprint(self.text)

    @property
    def elapsed_s(self) -> float | None:
        """What it took, in seconds; None while it runs."""
        return None if self.execute_s is None else (self.wait_s or 0.0) + self.execute_s + (self.decode_s or 0.0)

    def ended(self, *, rows: int | None = None, error: BaseException | None = None) -> None:
        """Note the answer, once."""
        if self.execute_s is None:
            self.execute_s = perf_counter() - self._started
            self.rows, self.error = rows, type(error).__name__ if error else None

    def went_on(self, seconds: float, rows: int) -> None:
        """Note another batch of its rows."""
        self.execute_s, self.rows = (self.execute_s or 0.0) + seconds, (self.rows or 0) + rows

    def decoded(self, seconds: float) -> None:
        """Note that objects were made of rows."""
        self.decode_s = (self.decode_s or 0.0) + seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ended(rows=None if error else self.rows, error=error)

    def __repr__(self) -> str:
        return f"<Statement {self}>"

    def __str__(self) -> str:
        text = " ".join(self.text.split())
        elapsed_s = self.elapsed_s
        if elapsed_s is None:
            return f"   running          {self.call_site}: {text}"
        outcome = self.error or ("" if self.rows is None else f"{self.rows} rows")
        return f"{elapsed_s * 1000:7.2f} ms {outcome:>9} {self.call_site}: {text}"


def values_of(text: str, parameters: Sequence[Any], salt: int) -> int | None:
    """Give what is the same, under one *salt*, for the same parameters, and no way back to them; None for many rows.

    Costs half a microsecond, and little more for long lists.
    """
    if len(parameters) >= SET and (" IN (" in text or "), (" in text):
        return None
    try:
        return hash((salt, *parameters))
    except TypeError:
        return _values_of(parameters, salt)


def _values_of(parameters: Sequence[Any], salt: int) -> int | None:
    looked_at: list[Any] = [salt]
    for value in parameters:
        if isinstance(value, list | tuple):
            if len(value) >= SET:
                return None
            looked_at += (len(value), *map(_hashed, islice(value, _LOOKED_AT)))
        else:
            looked_at.append(_hashed(value))
    return hash(tuple(looked_at))


def _hashed(value: Any) -> int:
    try:
        return hash(value)
    except TypeError:
        return hash(repr(value))
