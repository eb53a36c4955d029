"""Where a database is, held against the revisions of the code. Pure, but for the files that Alembic reads.

Not by names alone: Alembic writes no head down that another revision depends on.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from dal.errors import MigrationError


def pending(script: ScriptDirectory, at: Sequence[str]) -> tuple[str, ...]:
    """List the revisions that a database lacks, the first one first; raises `MigrationError` for an unknown one."""
    try:
        done = {each.revision for each in script.iterate_revisions(tuple(at), "base")} if at else set[str]()
    except (CommandError, RevisionError) as error:
        raise MigrationError(
            f"the database is at revision {', '.join(at)}, which the code does not have ({error}): check it by the "
            "code that upgraded it"
        ) from error
    return tuple(each.revision for each in reversed([*script.walk_revisions()]) if each.revision not in done)


def is_at_head(script: ScriptDirectory, at: Sequence[str]) -> bool:
    """Tell whether a database lacks nothing, and has nothing that the code does not know."""
    try:
        return not pending(script, at)
    except MigrationError:
        return False
