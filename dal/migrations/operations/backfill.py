"""`op.backfill`: give columns values in all the rows there are, a few rows at a time.

Goes through the table by its key, in batches that are committed one by one, so that nobody waits for longer than a
batch takes, and vacuum can follow. How far it has come is written with each batch: after an interruption every row is
still written exactly once. Refuses a key that could be NULL or ambiguous.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from alembic.operations import MigrateOperation, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import ColumnElement, TextClause

from dal.errors import MigrationError
from dal.migrations.operations.backfill_batches import Change, batch, script
from dal.migrations.operations.backfill_key import KeyColumn, find_key
from dal.migrations.operations.backfill_progress import BackfillProgress, begin, progress_table
from dal.migrations.operations.committing import committing
from dal.migrations.operations.sql import connection_of, run
from dal.migrations.operations.timeouts import ROW_LOCK_MS, patiently, pause, short_lock_timeout

LINE_EVERY_S: Final = 10.0

log: Final = logging.getLogger("dal.migrations")


@Operations.register_operation("backfill")
class BackfillOp(MigrateOperation):
    """Backfill columns."""

    def __init__(  # noqa: PLR0913 # those of op.backfill, which names them all
        self,
        table_name: str,
        values: Mapping[str, Any],
        *,
        key: str | Sequence[str] | None,
        where: str | TextClause | ColumnElement[bool] | None,
        batch_rows: int,
        pause_s: float,
        schema: str | None,
        on_progress: Callable[[BackfillProgress], None] | None,
    ) -> None:
        if batch_rows < 1 or pause_s < 0 or not values:
            raise MigrationError(
                f"op.backfill of {table_name}: batch_rows is {batch_rows}, pause_s {pause_s}, and there are "
                f"{len(values)} columns. Give at least one row, 0 seconds and one column."
            )
        self.change = Change(table_name, schema, values, where)
        self.key = [key] if isinstance(key, str) else key
        self.batch_rows, self.pause_s, self.on_progress = batch_rows, pause_s, on_progress

    @classmethod
    def backfill(  # noqa: PLR0913 # what, where, how fast
        cls,
        operations: Operations,
        table_name: str,
        values: Mapping[str, Any],
        *,
        key: str | Sequence[str] | None = None,
        where: str | TextClause | ColumnElement[bool] | None = None,
        batch_rows: int = 10_000,
        pause_s: float = 0.0,
        schema: str | None = None,
        on_progress: Callable[[BackfillProgress], None] | None = None,
    ) -> None:
        """Set columns to *values* (SQL as `sa.text()`), in the rows where *where* holds; commits, batch by batch.

        One round trip for each *batch_rows* rows of the table, which is as many as a batch may lock. *key* is the
        primary key unless given. Rows that others insert meanwhile may be left out: what inserts must set the columns
        by then. Nothing reverses it.
        """
        operations.invoke(
            cls(
                table_name,
                values,
                key=key,
                where=where,
                batch_rows=batch_rows,
                pause_s=pause_s,
                schema=schema,
                on_progress=on_progress,
            )
        )


@Operations.implementation_for(BackfillOp)
def _backfill(operations: Operations, op: BackfillOp) -> None:
    with committing(operations, "backfill") as context:
        if context.as_sql:
            for statement in _script(op):
                run(context, statement)
            return
        with short_lock_timeout(context, ROW_LOCK_MS):
            _run(context, op)


def _script(op: BackfillOp) -> list[str]:
    if op.key is None:
        raise MigrationError(
            f"op.backfill of {op.change.table} cannot be written as a script: offline nobody knows its primary key. "
            "Give key=, or run the upgrade online."
        )
    _refuse_its_own_key(op, op.key)
    return script(op.change, op.key, op.batch_rows, op.pause_s)


def _run(context: MigrationContext, op: BackfillOp) -> None:
    what = f"op.backfill of {op.change.table}"
    key = find_key(context, op.change.table, op.key)
    _refuse_its_own_key(op, [column.name for column in key])
    name, marker, progress = begin(context, op.change, key)
    send = _sender(context, op, name, key)
    log.info("%s begins after %d rows of about %d", what, progress.rows_read, progress.rows_estimated)
    told_at = time.monotonic()
    while row := patiently(context, partial(send, marker), what):
        marker, rows_read, rows_changed = row
        progress = replace(progress, rows_read=rows_read, rows_changed=rows_changed)
        if op.on_progress is not None:
            op.on_progress(progress)
        if time.monotonic() - told_at >= LINE_EVERY_S:
            told_at = time.monotonic()
            _tell(what, progress)
        if op.pause_s:
            pause(context, op.pause_s)
    _tell(f"{what} is done", progress)


def _refuse_its_own_key(op: BackfillOp, key: Sequence[str]) -> None:
    if written := sorted(op.change.values.keys() & set(key)):
        raise MigrationError(
            f"op.backfill of {op.change.table} writes {', '.join(written)}, by which it goes through the table: it "
            "would meet its rows again. Give key= of other columns, that are unique and NOT NULL."
        )


def _sender(
    context: MigrationContext, op: BackfillOp, name: str, key: Sequence[KeyColumn]
) -> Callable[[list[str] | None], Sequence[Any] | None]:
    write = partial(batch, op.change, key, op.batch_rows, progress_table(context))
    first, next_one = write(is_first=True), write(is_first=False)

    def send(marker: list[str] | None) -> Sequence[Any] | None:
        connection = connection_of(context)
        if marker is None:
            return connection.exec_driver_sql(first, (name,)).first()
        return connection.exec_driver_sql(next_one, (name, marker)).first()

    return send


def _tell(what: str, now: BackfillProgress) -> None:
    log.info("%s: %d rows of about %d, %d changed", what, now.rows_read, now.rows_estimated, now.rows_changed)
