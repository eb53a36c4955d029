"""How far a backfill has come: a row in table `dal_backfills`, written by the statement of each batch.

Not by the rows that a condition still finds: such a condition need not exist (`x = x + 1`), and finding them would
read what is done again at each start. The row goes with the transaction that stamps the revision, and the table with
its last row: an interruption before finds it, and a downgrade followed by an upgrade begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.errors import MigrationError
from dal.migrations.operations.backfill_batches import Change
from dal.migrations.operations.backfill_key import KeyColumn
from dal.migrations.operations.sql import connection_of, quoted, run, verbatim

_ESTIMATED: Final = text(
    "SELECT greatest(0, CAST(reltuples AS bigint)) FROM pg_class WHERE oid = pg_catalog.to_regclass(:table)"
)


@dataclass(frozen=True)
class BackfillProgress:
    """How far a backfill has come, over all its runs; the estimate is that of the last ANALYZE."""

    table: str
    rows_read: int
    rows_changed: int
    rows_estimated: int


def progress_table(context: MigrationContext) -> str:
    """Name the table, which is beside Alembic's own."""
    return quoted(context, "dal_backfills", context.version_table_schema)


def begin(
    context: MigrationContext, change: Change, key: Sequence[KeyColumn]
) -> tuple[str, list[str] | None, BackfillProgress]:
    """Say under which name it is written down how far the runs before have come, and the last key, None at first.

    Three round trips; has the row deleted in the transaction that stamps the revision. Raises `MigrationError` if the
    runs before went by another key.
    """
    table = progress_table(context)
    run(
        context,
        f"CREATE TABLE IF NOT EXISTS {table} (name text PRIMARY KEY, marker text[] NOT NULL, "
        "rows_read bigint NOT NULL, rows_changed bigint NOT NULL, changed_at timestamptz NOT NULL DEFAULT now())",
    )
    connection = connection_of(context)
    estimated = connection.scalar(_ESTIMATED, {"table": change.table}) or 0
    begun = f"{change.name}.{_Forgetting.of(context).nth(change)} by "
    by = f"({', '.join(column.name for column in key)})"
    statement = f"SELECT name, marker, rows_read, rows_changed FROM {table} WHERE pg_catalog.starts_with(name, $1)"  # noqa: S608 # a quoted name
    row = connection.exec_driver_sql(statement, (begun,)).first()
    name, marker, rows_read, rows_changed = row or (begun + by, None, 0, 0)
    if name != begun + by:
        raise MigrationError(
            f"op.backfill of {change.table} was begun by the key {name.removeprefix(begun)}, and is to go on by {by}, "
            f"which does not say where that came to. Go on by the old one; to begin anew, drop table {table}."
        )
    return name, marker, BackfillProgress(change.table, rows_read, rows_changed, estimated)


class _Forgetting:
    """Deletes what all backfills of a revision have written down, and the table with its last row; once."""

    def __init__(self, context: MigrationContext) -> None:
        self._seen: Counter[str] = Counter()
        self._context = context

    @classmethod
    def of(cls, context: MigrationContext) -> _Forgetting:
        """Give that of the revision that is run."""
        told = [one for one in context.on_version_apply_callbacks if isinstance(one, cls)]
        if not told:
            told = [cls(context)]
            context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, *told)
        return told[0]

    def nth(self, change: Change) -> int:
        """Say which of several equal changes of the revision this is: one is not done when another is."""
        self._seen[change.name] += 1
        return self._seen[change.name]

    def __call__(self, **_: Any) -> None:
        context, table = self._context, progress_table(self._context)
        context.on_version_apply_callbacks = tuple(
            other for other in context.on_version_apply_callbacks if other is not self
        )
        connection = connection_of(context)
        for table_name in {name.rpartition(" ")[0] for name in self._seen}:
            statement = f"DELETE FROM {table} WHERE pg_catalog.starts_with(name, $1)"  # noqa: S608 # a quoted name
            connection.exec_driver_sql(statement, (f"{table_name} ",))
        if not connection.scalar(verbatim(f"SELECT EXISTS (SELECT FROM {table})")):  # noqa: S608 # a quoted name
            run(context, f"DROP TABLE {table}")
