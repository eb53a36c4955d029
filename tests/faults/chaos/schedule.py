"""Which faults come when: drawn from a seed, spelt as text, read again. Pure.

Faults come in volleys: some at once, then peace until everything was looked at.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple


class Kind(NamedTuple):
    """A kind of fault: how often it is drawn, for how long it lasts at the most, and in which ways it comes."""

    weight: int
    longest_s: float
    ways: tuple[str, ...]


_MOMENTS: Final = tuple(
    f"{end} {words}{at}"
    for end in ("cut", "torn", "black hole")
    for words in ("BEGIN", "COMMIT", "ROLLBACK", "anything")
    for at in ("", " answered")
)
KINDS: Final = {
    "backend": Kind(12, 0.0, ("one", "all", "in transaction", "cancelled", "killed")),
    "server": Kind(3, 0.5, ("fast", "immediate", "kill")),
    "network": Kind(12, 0.6, ("reset", "refused", "held", "black hole", "delayed")),
    "message": Kind(18, 0.4, _MOMENTS),
    "disk": Kind(4, 0.4, ("table", "temporary files")),
    "connections": Kind(5, 0.4, ("exhausted",)),
    "lock": Kind(7, 0.9, ("rows", "table")),
    "schema": Kind(4, 0.0, ("column added", "column dropped")),
    "clock": Kind(4, 0.3, ("ahead", "behind", "an hour of the pool")),
    "cancel": Kind(14, 0.0, ("once", "every tick", "all")),
    "loop": Kind(3, 0.0, ("blocked",)),
    "garbage": Kind(5, 0.0, ("session", "transaction", "checkout", "task")),
    "fork": Kind(3, 0.0, ("used", "left")),
}
# One volley in so many has one fault, two, three, four.
_SIZES: Final = (4, 5, 3, 1)
_SPREAD_S: Final = 0.3
_SPELT: Final = re.compile(r"(\w+) \(([\w ]+)\) @(\d+\.\d+)\+(\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: *after_s* from the beginning of its volley, *for_s* long."""

    kind: str
    way: str
    after_s: float
    for_s: float

    def __str__(self) -> str:
        return f"{self.kind} ({self.way}) @{self.after_s:.3f}+{self.for_s:.3f}"


Volley = tuple[Fault, ...]


def drawn(seed: int) -> Iterator[Volley]:
    """Draw volleys without end; the same from the same *seed*."""
    chance = random.Random(seed)
    names, weights = list(KINDS), [kind.weight for kind in KINDS.values()]
    while True:
        [size] = chance.choices(range(1, len(_SIZES) + 1), _SIZES)
        yield tuple(_fault(chance, name) for name in chance.choices(names, weights, k=size))


def spelt(volley: Volley) -> str:
    """Write a volley on one line."""
    return " & ".join(map(str, volley))


def read(text: str) -> Volley:
    """Read what `spelt` has written; raises `ValueError` for anything else."""
    return tuple(_read(part) for part in text.split(" & "))


def _fault(chance: random.Random, name: str) -> Fault:
    kind = KINDS[name]
    lasts_s = round(chance.uniform(kind.longest_s / 10, kind.longest_s), 3)
    return Fault(name, chance.choice(kind.ways), round(chance.uniform(0, _SPREAD_S), 3), lasts_s)


def _read(text: str) -> Fault:
    found = _SPELT.fullmatch(text.strip())
    if found is None or found[1] not in KINDS or found[2] not in KINDS[found[1]].ways:
        raise ValueError(f"this is no fault: {text!r}")
    return Fault(found[1], found[2], float(found[3]), float(found[4]))
