"""Who was told what of each write, compared with what is there. Refuses: asking the server itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Told(Enum):
    """What the service was told of a write."""

    NOTHING = "nothing yet"
    DONE = "done"
    UNDONE = "not done"
    MAYBE = "nobody knows"


@dataclass(slots=True, eq=False)
class Group:
    """So many rows under one number; with *in_parts* some of them may be there before all are."""

    number: int
    size: int
    in_parts: bool = False
    told: Told = Told.NOTHING


class Found(NamedTuple):
    """What the server has of a group."""

    rows: int
    parts: int


@dataclass(slots=True)
class Tally:
    """What has become of all writes."""

    acknowledged: int = 0
    unknown: int = 0
    lost: int = 0
    doubled: int = 0
    ghosts: int = 0
    torn: int = 0

    @property
    def wrong(self) -> int:
        """Count what must not be."""
        return self.lost + self.doubled + self.ghosts + self.torn


@dataclass(slots=True)
class Journal:
    """All groups; those that were compared are kept until the end, when all are compared again."""

    groups: list[Group] = field(default_factory=list)
    compared: int = 0

    def open(self, size: int = 1, *, in_parts: bool = False) -> Group:
        """Begin a group."""
        group = Group(len(self.groups), size, in_parts)
        self.groups.append(group)
        return group

    def since(self) -> int:
        """Give the number of the first group that must be compared."""
        open_ones = (group.number for group in self.groups[self.compared :] if group.told is Told.NOTHING)
        return min(self.compared, next(open_ones, self.compared))

    def compare(self, found: dict[int, Found], *, all_: bool = False) -> tuple[Tally, list[str]]:
        """Compare groups with what was *found* of them; gives the tally, and what is wrong in words."""
        tally, wrong = Tally(), []
        groups = self.groups if all_ else self.groups[self.compared :]
        for group in groups:
            fault = _judge(group, found.get(group.number, Found(0, 0)), tally)
            if fault:
                wrong.append(f"group {group.number} of {group.size}, told {group.told.value}: {fault}")
        self._advance()
        return tally, [*wrong, *_strangers(found, len(self.groups))]

    def _advance(self) -> None:
        while self.compared < len(self.groups) and self.groups[self.compared].told is not Told.NOTHING:
            self.compared += 1


def _judge(group: Group, found: Found, tally: Tally) -> str | None:
    if found.rows != found.parts:
        tally.doubled += 1
        return f"{found.rows} rows for {found.parts} parts"
    if group.told is Told.DONE:
        tally.acknowledged += 1
        tally.lost += found.rows < group.size
        return None if found.rows == group.size else f"{found.rows} rows are there"
    tally.unknown += group.told is Told.MAYBE
    if found.rows and group.told is Told.UNDONE:
        tally.ghosts += 1
        return f"{found.rows} rows are there"
    if not group.in_parts and found.rows not in {0, group.size}:
        tally.torn += 1
        return f"{found.rows} rows are there"
    return None


def _strangers(found: Iterable[int], known: int) -> list[str]:
    return [f"group {number} is there, and nobody has written it" for number in found if number >= known]
