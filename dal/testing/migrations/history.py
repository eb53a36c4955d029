"""What the tests of migrations are about: where the revisions are, and what is known of them. Pure.

Refuses: running any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dal.database import Database
from dal.errors import ConfigError
from dal.migrations import RevisionInfo, history


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """The revisions of *ini*, for the tests of them.

    *seeds* maps revisions to what is called with the open `Database` when it has come there for the first time, to
    write rows: the revisions after it run on them, and the downgrades too. *irreversible* are those that nobody goes
    back from, and *losing* those that lose rows or values on purpose, upwards or downwards. *ignore* names objects that
    tests leave alone, as `dal.migrations.drift.check` does.
    """

    ini: Path = Path("alembic.ini")
    seeds: Mapping[str, Callable[[Database], Awaitable[object]]] = field(default_factory=dict)
    irreversible: Collection[str] = ()
    losing: Collection[str] = ()
    ignore: Sequence[str] = ()

    def revisions(self) -> list[RevisionInfo]:
        """Read them all, the first one first; raises `ConfigError` for a seed or a mark of one that is not there."""
        revisions = history(ini=self.ini)[::-1]
        unknown = {*self.seeds, *self.irreversible, *self.losing} - {each.revision for each in revisions}
        if unknown:
            raise ConfigError(
                f"there is no revision {', '.join(sorted(unknown))} in {self.ini}: mend seeds=, irreversible= "
                "or losing="
            )
        return revisions
