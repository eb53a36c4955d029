"""What a load is asked to do with a row that is there already, and with a record that cannot be loaded.

Pure values.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import ColumnElement

from dal.copy.report import OnProgress
from dal.copy.text import Csv, Ndjson
from dal.errors import CopyError

# - error: the load fails, or rejects the record.
# - skip: the row that is there stays.
# - update: it takes the record's values.
# - replace: the table is emptied first, in the same transaction: nobody ever sees it empty.
Action: TypeAlias = Literal["error", "skip", "update", "replace"]
# One bad record fails the load, or is left out.
OnError: TypeAlias = Literal["abort", "reject"]
# Of records with the same key: the last one counts, the first one, or the load fails.
Duplicates: TypeAlias = Literal["last", "first", "error"]
# Of the rows proposed, as a table of the columns' names: a condition.
Where: TypeAlias = Callable[[Any], ColumnElement[bool]]

_ACTIONS: Final = get_args(Action)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What to do with a record whose row is there: by the columns *on*, or the primary key.

    An *update* sets the columns named, or all that the records have but the key, where *where* holds: a function that
    is given the proposed row, `lambda new: new.c.version > Order.version`. *duplicates* settles records of one load
    that have the same key.
    """

    action: Action = "error"
    on: Sequence[str] = ()
    update: Sequence[str] | None = None
    where: Where | None = None
    duplicates: Duplicates = "last"

    def __post_init__(self) -> None:
        if self.action not in _ACTIONS:
            raise CopyError(f"on_conflict= is one of {', '.join(_ACTIONS)}, not {self.action!r}.")
        if self.duplicates not in get_args(Duplicates):
            raise CopyError(f"duplicates= is one of {', '.join(get_args(Duplicates))}, not {self.duplicates!r}.")
        if self.action != "update" and (self.update is not None or self.where is not None):
            raise CopyError("update= and where= are for on_conflict='update'.")

    @property
    def is_settled_by_key(self) -> bool:
        """Whether records are compared with rows."""
        return self.action in ("skip", "update")


@dataclass(frozen=True, slots=True)
class Rejecting:
    """Load what can be loaded. What cannot is written, with its fields, to the file *to* (.csv, .tsv, .ndjson).

    The reasons go beside it, one JSON object for each record, to a file of the same name and `.reasons.ndjson`. More
    than *at_most* rejected records fail the load.
    """

    to: str | os.PathLike[str] | None = None
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a load is asked to do."""

    rename: Mapping[str, str] = field(default_factory=dict)
    conflict: Conflict = field(default_factory=Conflict)
    rejecting: Rejecting | None = None
    on_progress: OnProgress | None = None
    commit_every: int | None = None
    resume: str | None = None
    form: Csv | Ndjson | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise CopyError(f"workers= is a number of connections, at least 1, not {self.workers}.")
        if self.workers > 1 and self.is_in_parts:
            raise CopyError("workers= publish in one transaction: leave out commit_every= and resume=.")
        if self.commit_every is not None and self.commit_every < 1:
            raise CopyError(f"commit_every= is a number of records, at least 1, not {self.commit_every}.")
        if self.is_in_parts and self.conflict.action == "replace":
            raise CopyError("on_conflict='replace' is one transaction: leave out commit_every= and resume=.")

    @property
    def is_in_parts(self) -> bool:
        """Whether it commits on its way."""
        return self.commit_every is not None or self.resume is not None


def conflict_of(given: Action | Conflict) -> Conflict:
    """Take a name for what it stands for."""
    return given if isinstance(given, Conflict) else Conflict(given)


def rejecting_of(given: OnError | Rejecting) -> Rejecting | None:
    """Take a name for what it stands for; None is to abort."""
    if isinstance(given, Rejecting):
        return given
    if given not in get_args(OnError):
        raise CopyError(f"on_error= is 'abort', 'reject' or Rejecting(...), not {given!r}.")
    return Rejecting() if given == "reject" else None
