"""How far a backfill has come: a row in table `dal_backfills`, written by the statement of each batch.

Not by the rows that a condition still finds: such a condition need not exist (`x = x + 1`), and finding them would
read what is done again at each start. The row goes with the transaction that stamps the revision, and the table with
its last row: an interruption before finds it, and a downgrade followed by an upgrade begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.migrations.operations.backfill_batches import Change
from dal.migrations.operations.sql import connection_of, quoted, run, verbatim

_ESTIMATED: Final = text("SELECT greatest(0, CAST(reltuples AS bigint)) FROM pg_class WHERE oid = to_regclass(:table)")


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


def begin(context: MigrationContext, change: Change) -> tuple[list[str] | None, BackfillProgress]:
    """Say how far the runs before have come: the last key, None if this is the first; three round trips."""
    table = progress_table(context)
    run(
        context,
        f"CREATE TABLE IF NOT EXISTS {table} (name text PRIMARY KEY, marker text[] NOT NULL, "
        "rows_read bigint NOT NULL, rows_changed bigint NOT NULL, changed_at timestamptz NOT NULL DEFAULT now())",
    )
    connection = connection_of(context)
    estimated = connection.scalar(_ESTIMATED, {"table": change.table}) or 0
    statement = f"SELECT marker, rows_read, rows_changed FROM {table} WHERE name = $1"  # noqa: S608 # a quoted name
    row = connection.exec_driver_sql(statement, (change.name,)).first()
    marker, rows_read, rows_changed = row or (None, 0, 0)
    return marker, BackfillProgress(change.table, rows_read, rows_changed, estimated)


def forget_with_the_stamp(context: MigrationContext, change: Change) -> None:
    """Have the rows of *change*'s table deleted in the transaction that stamps the revision."""
    told = [one for one in context.on_version_apply_callbacks if isinstance(one, _Forgetting)]
    if not told:
        told = [_Forgetting(context)]
        context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, *told)
    told[0].tables.add(change.table)


class _Forgetting:
    """Deletes what all backfills of a revision have written down, and the table with its last row; once."""

    def __init__(self, context: MigrationContext) -> None:
        self.tables: set[str] = set()
        self._context = context

    def __call__(self, **_: Any) -> None:
        context, table = self._context, progress_table(self._context)
        context.on_version_apply_callbacks = tuple(
            other for other in context.on_version_apply_callbacks if other is not self
        )
        connection = connection_of(context)
        for one in self.tables:
            statement = f"DELETE FROM {table} WHERE starts_with(name, $1)"  # noqa: S608 # a quoted name
            connection.exec_driver_sql(statement, (f"{one} ",))
        if not connection.scalar(verbatim(f"SELECT EXISTS (SELECT FROM {table})")):  # noqa: S608 # a quoted name
            run(context, f"DROP TABLE {table}")
