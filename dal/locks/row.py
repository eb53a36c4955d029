"""Which lock a SELECT takes on the rows it reads, and what it does about rows that somebody else has locked.

Pure. Refuses: deciding whether the lock lasts; that is the transaction's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, get_args

from sqlalchemy import Select
from sqlalchemy.orm import DeclarativeBase

E = TypeVar("E", bound=DeclarativeBase)

# PostgreSQL's four, strongest first.
Strength = Literal["update", "no key update", "share", "key share"]

_READ_AND_KEY: Final[dict[Strength, tuple[bool, bool]]] = {
    "update": (False, False),
    "no key update": (False, True),
    "share": (True, False),
    "key share": (True, True),
}


@dataclass(frozen=True, slots=True)
class RowLock:
    """One of PostgreSQL's row locks; by default it waits for whoever holds the row."""

    strength: Strength
    nowait: bool = False
    skip_locked: bool = False

    def __post_init__(self) -> None:
        if self.strength not in _READ_AND_KEY:
            raise ValueError(f"lock is {self.strength!r}; it must be one of {', '.join(get_args(Strength))}.")
        if self.nowait and self.skip_locked:
            raise ValueError("nowait and skip_locked exclude each other: a locked row is an error, or is left out.")

    def on(self, statement: Select[E], model: type[E]) -> Select[E]:
        """Let *statement* lock the rows of *model*, not those joined to them, and read them anew.

        An entity that the session holds takes over what the locked row has: flush its changes first.
        """
        read, key_share = _READ_AND_KEY[self.strength]
        locking: Select[Any] = statement.with_for_update(
            of=model, read=read, key_share=key_share, nowait=self.nowait, skip_locked=self.skip_locked
        )
        return locking.execution_options(populate_existing=True)


def row_lock(strength: Strength | None, *, nowait: bool, skip_locked: bool) -> RowLock | None:
    """Give the lock asked for, None if none is; raises `ValueError` for what asks how to lock, and not for a lock."""
    if strength is not None:
        return RowLock(strength, nowait=nowait, skip_locked=skip_locked)
    if nowait or skip_locked:
        raise ValueError("nowait and skip_locked say how to lock: give lock= too, such as lock='update'.")
    return None
