"""What a load is asked to do with a row that is there already, and with a record that cannot be loaded.

Pure values.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypedDict, get_args

from sqlalchemy import ColumnElement

from dal.copy.report import OnProgress
from dal.copy.text import Csv, Ndjson
from dal.errors import CopyError
from dal.sendable import LONGEST_NAME_BYTES, is_name

# - error: the load fails, or rejects the record.
# - skip: the row that is there stays.
# - update: it takes the record's values.
# - replace: the table is emptied first, in the same transaction: nobody ever sees it empty.
# - append_only_new: nobody looks for it; what is not greater than the greatest value of one column is left out.
Action: TypeAlias = Literal["error", "skip", "update", "replace", "append_only_new"]
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
    that have the same key. For *append_only_new*, *on* is the one column that only grows; loads into one table that ask
    for it are done one after the other.
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
    def is_staged(self) -> bool:
        """Whether all records must be there before the first is settled."""
        return self.action in ("skip", "update", "append_only_new")


@dataclass(frozen=True, slots=True)
class Rejecting:
    """Load what can be loaded. What cannot is written, with its fields, to the file *to* (.csv, .tsv, .ndjson).

    The reasons go beside it, one JSON object for each record, to a file of the same name and `.reasons.ndjson`. Both
    are written anew when the load begins; one that is gone on with adds to them. More than *at_most* rejected records
    fail the load. The *table* takes them with the load's own transaction, and is made if it is not there; its columns:
    `target`, `load` (the name to resume by), `record`, `reason`, `column`, `constraint`, `sqlstate`, `fields` (jsonb),
    `line` and `rejected_at`.
    """

    to: str | os.PathLike[str] | None = None
    at_most: int | None = None
    table: str | None = None

    def __post_init__(self) -> None:
        if self.table is not None and not all(map(is_name, self.table.rsplit(".", 1))):
            raise CopyError(
                f"{self.table!r} is no name of a table for rejects: give up to {LONGEST_NAME_BYTES} bytes of text, "
                "with the schema's name and a dot before it if it is not on the search path."
            )


class CopyOptions(TypedDict, total=False):
    """How a load differs from all of it, or nothing, by one connection; see `dal.copy.copy_in`."""

    rename: Mapping[str, str]
    on_conflict: Action | Conflict
    on_error: OnError | Rejecting
    commit_every: int | None
    resume: str | None
    workers: int
    form: Csv | Ndjson | None
    rebuild: bool
    analyze: bool
    on_progress: OnProgress | None


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a load is asked to do: `CopyOptions`, checked."""

    rename: Mapping[str, str] = field(default_factory=dict[str, str])
    on_conflict: Action | Conflict = "error"
    on_error: OnError | Rejecting = "abort"
    commit_every: int | None = None
    resume: str | None = None
    workers: int = 1
    form: Csv | Ndjson | None = None
    rebuild: bool = False
    analyze: bool = False
    on_progress: OnProgress | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.on_error, Rejecting) and self.on_error not in get_args(OnError):
            raise CopyError(f"on_error= is 'abort', 'reject' or Rejecting(...), not {self.on_error!r}.")
        if self.workers < 1:
            raise CopyError(f"workers= is a number of connections, at least 1, not {self.workers}.")
        if self.commit_every is not None and self.commit_every < 1:
            raise CopyError(f"commit_every= is a number of records, at least 1, not {self.commit_every}.")
        if self.is_in_parts and self.conflict.action in ("replace", "append_only_new"):
            raise CopyError(
                f"on_conflict={self.conflict.action!r} is one transaction: leave out commit_every= and resume=."
            )
        if self.is_in_parts and self.rebuild:
            raise CopyError("rebuild= is one transaction: leave out commit_every= and resume=.")

    @property
    def conflict(self) -> Conflict:
        """What to do with a record whose row is there."""
        return self.on_conflict if isinstance(self.on_conflict, Conflict) else Conflict(self.on_conflict)

    @property
    def rejecting(self) -> Rejecting | None:
        """What becomes of records that cannot be loaded; None is to abort."""
        if isinstance(self.on_error, Rejecting):
            return self.on_error
        return Rejecting() if self.on_error == "reject" else None

    @property
    def is_in_parts(self) -> bool:
        """Whether it commits on its way."""
        return self.commit_every is not None or self.resume is not None
