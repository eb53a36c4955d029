"""The names of advisory locks, and how long one of them is worth waiting for.

Pure. A name becomes the first eight bytes of its SHA-256, as a signed big-endian number: the same in every process and
release, and in SQL

    SELECT ('x' || encode(substr(sha256(convert_to('billing', 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint

Numbers and names share PostgreSQL's one space of 64 bits; pairs of numbers have another one of 2 x 32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

# Together, whether it is one number or two.
_BITS: Final = 64

Name = str | int | tuple[int, int]


@dataclass(frozen=True, slots=True)
class AdvisoryKey:
    """What PostgreSQL knows a lock by; *words* are how messages call it, which is by its name but by no number."""

    numbers: tuple[int, ...]
    words: str
    shared: bool

    @classmethod
    def of(cls, name: Name, *, shared: bool = False) -> AdvisoryKey:
        """Give the key of *name*; raises `TypeError` or `ValueError` for what is none."""
        if isinstance(name, str):
            number = int.from_bytes(sha256(_encoded(name)).digest()[:8], "big", signed=True)
            return cls((number,), f"the advisory lock {name!r}", shared)
        numbers, bits = (name, 32) if isinstance(name, tuple) else ((name,), 64)
        if len(numbers) * bits != _BITS or any(type(number) is not int for number in numbers):
            raise TypeError("an advisory lock is named by a str, an int, or a tuple of two ints.")
        if any(not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) for number in numbers):
            raise ValueError(f"an advisory lock's number must fit {bits} bits: one number has 64, each of two has 32.")
        return cls(numbers, "the advisory lock asked for", shared)

    def call(self, function: str) -> str:
        """Spell the call of one of PostgreSQL's functions on this key; its arguments are `numbers`."""
        kind = "_shared" if self.shared else ""
        arguments = "$1::bigint" if len(self.numbers) == 1 else "$1::int, $2::int"
        return f"{function}{kind}({arguments})"

    @property
    def in_pg_locks(self) -> tuple[int, int, int]:
        """Give `classid`, `objid` and `objsubid`, by which the view pg_locks shows it."""
        if len(self.numbers) == 1:
            return self.numbers[0] >> 32 & 0xFFFFFFFF, self.numbers[0] & 0xFFFFFFFF, 1
        return self.numbers[0] & 0xFFFFFFFF, self.numbers[1] & 0xFFFFFFFF, 2


def _encoded(name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        raise ValueError("an advisory lock's name has half of a surrogate pair in it, which is no text.") from error


def patience_s(*, wait: bool, timeout_s: float | None) -> float:
    """Say how long to wait, in seconds: 0 is to try once."""
    if not wait:
        if timeout_s is not None:
            raise ValueError(f"wait=False and timeout_s={timeout_s} exclude each other: give one of them.")
        return 0.0
    return math.inf if timeout_s is None else timeout_s
