"""One difference, and all of them: values to be read by people and by programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

Side: TypeAlias = Literal["models", "migrations", "database"]

# How the definition of an index ends that is not to be used.
INVALID: Final = " INVALID"
# A longer definition is not for a line.
_SHOWN: Final = 120
# The words for each, and whether they are many.
_SIDES: Final[Mapping[Side, tuple[str, bool]]] = {
    "models": ("the models", True),
    "migrations": ("the migrations", True),
    "database": ("the database", False),
}
_ADVICE: Final = {
    "models": "write a revision",
    "migrations": "the database was changed to fit the models by hand: write a revision that finds it done",
    "all": "make the models what they shall be, write a revision, and undo by hand what was done to the database",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """An object that is not the same everywhere.

    `definitions` has what the models, the migrations and the database have, None where one lacks it; a side that is not
    in it has no say: autogenerate knows no functions, and nothing of a database that is behind. `differs` names the one
    that is unlike the other two, "all" if each is. `is_pending` says that a revision that is still to come makes the
    object what the database has made of it already.
    """

    kind: str
    name: str
    differs: Side | Literal["all"]
    definitions: Mapping[Side, str | None] = field(hash=False)
    is_pending: bool = False

    @property
    def message(self) -> str:
        """Say who has what, and what to do."""
        return f"{self._what()}: {self._advice()}"

    def _what(self) -> str:
        having: list[Side] = [side for side, definition in self.definitions.items() if definition is not None]
        lacking: list[Side] = [side for side in self.definitions if side not in having]
        if lacking:
            have = "have" if len(having) > 1 or _SIDES[having[0]][1] else "has"
            lack = "lack" if len(lacking) > 1 or _SIDES[lacking[0]][1] else "lacks"
            return f"{_listed(having)} {have} {self.kind} {self.name}, which {_listed(lacking)} {lack}"
        if self.differs == "all":
            return f"{self.kind} {self.name} is different everywhere"
        others: list[Side] = [side for side in having if side != self.differs]
        return f"{self.kind} {self.name} is different in {_listed([self.differs])} than in {_listed(others)}"

    def _advice(self) -> str:
        if self.is_pending:
            return "the database has by hand what a pending revision does, which will fail of it: undo it by hand"
        if self.differs != "database":
            return _ADVICE[self.differs]
        database = self.definitions["database"]
        if self.kind == "index" and database is not None and database.endswith(INVALID):
            return "an interrupted CREATE INDEX CONCURRENTLY left it invalid: DROP INDEX CONCURRENTLY, or REINDEX it"
        if self.definitions["migrations"] is None:
            return "it was made by hand: drop it, write a revision for it, or ignore it"
        if database is None:
            return "it was dropped by hand: make it again"
        return "it was changed by hand: change it back, or write a revision"

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as JSON takes it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "differs": self.differs,
            "definitions": dict(self.definitions),
            "message": self.message,
        }

    def lines(self) -> list[str]:
        """Say it in a line, with a line for each definition that fits into one."""
        shown = {side: " ".join(text.split()) for side, text in self.definitions.items() if text is not None}
        is_short = all(len(text) <= _SHOWN for text in shown.values())
        told = [f"  {side}: {text}" for side, text in shown.items()] if is_short else []
        return [self.message, *(told if len(set(shown.values())) > 1 or len(shown) == 1 else [])]


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs between the models, the migrations and the database at `where`.

    `revisions` are those it is at; while some are `pending`, it is compared with the migrations up to its own.
    """

    where: str
    revisions: tuple[str, ...]
    pending: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def is_none(self) -> bool:
        """Whether all three are the same, but for revisions that are pending."""
        return not self.differences

    def __str__(self) -> str:
        """Make a table: what differs, the kind and name of it, and what to say of it."""
        widths = [
            max(map(len, column)) for column in zip(*((d.differs, d.kind) for d in self.differences), strict=True)
        ]
        lines = [self.summary]
        for each in self.differences:
            first, *more = each.lines()
            indent = " " * (sum(widths) + 2 * len(widths))
            lines += [
                f"{each.differs:{widths[0]}}  {each.kind:{widths[1]}}  {first}",
                *(indent + line for line in more),
            ]
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """Say in a line how many there are, and where the database is."""
        count = len(self.differences)
        found = "no drift" if self.is_none else f"{count} {'difference' if count == 1 else 'differences'}"
        behind = f", with {len(self.pending)} pending ({', '.join(self.pending)})" if self.pending else ""
        return f"{found} in {self.where} at revision {', '.join(self.revisions) or 'none'}{behind}"

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as JSON takes it."""
        return {
            "database": self.where,
            "revisions": list(self.revisions),
            "pending": list(self.pending),
            "differences": [each.as_dict() for each in self.differences],
        }


def _listed(sides: list[Side]) -> str:
    return " and ".join(_SIDES[side][0] for side in sides)
