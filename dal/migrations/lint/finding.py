"""What the lint says of one statement, and the statement that it says it of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement that is unsafe on a live database, and what to write instead."""

    revision: str
    file: Path
    line: int
    """The line of the operation in *file*, from 1."""
    rule: str
    """The name to give in `# dal: ignore[rule] reason`."""
    message: str
    help: str
    """The safe way; empty where there is none."""
    sql: str
    """The statement as Alembic renders it; empty where the finding is not about one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a revision."""

    revision: str
    file: Path
    line: int

    def finding(self, rule: str, message: str, *, help: str = "", sql: str = "") -> Finding:  # noqa: A002 # the field's name
        """Find fault with this line."""
        return Finding(self.revision, self.file, self.line, rule, message, help, sql)


@dataclass(frozen=True, slots=True)
class Statement:
    """What an operation sends: one statement, or a text of several."""

    place: Place
    sql: str
    block: int
    """Statements of one block are in one transaction, or all in none."""
    in_transaction: bool
    by_dal: bool
    """Sent by an operation of dal's own, which knows what is safe and is tested for it."""
