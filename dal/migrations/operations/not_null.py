"""`op.set_not_null_safely`: NOT NULL without reading the table under a lock that keeps others out.

A constraint that is NOT VALID at first, and validated then, tells the server what SET NOT NULL would read the table
for. Each step is committed by itself, since its lock must not outlast it, and takes up what an interrupted run has
left. From the first step on no NULL can be written. PostgreSQL 18 has such NOT NULL constraints; before, a CHECK
stands in.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import AlterColumnOp
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.errors import CheckViolation, MigrationError, NotNullViolation
from dal.migrations.operations.committing import committing
from dal.migrations.operations.rendering import call
from dal.migrations.operations.sql import connection_of, quoted, run
from dal.migrations.operations.timeouts import TABLE_LOCK_MS, no_timeouts, patiently, short_lock_timeout

NOT_VALID_SINCE: Final = 18
_NAME_BYTES: Final = 63
_STATE: Final = text("""
    SELECT attnotnull, EXISTS (SELECT FROM pg_constraint WHERE conrelid = attrelid AND conname = :stand_in),
        (SELECT pg_catalog.quote_ident(conname) FROM pg_constraint
         WHERE conrelid = attrelid AND contype = 'n' AND conkey = ARRAY[attnum] AND NOT convalidated)
    FROM pg_attribute WHERE attrelid = pg_catalog.to_regclass(:table) AND attname = :column AND NOT attisdropped
""")


@Operations.register_operation("set_not_null_safely")
class SetNotNullSafelyOp(MigrateOperation):
    """Set NOT NULL."""

    def __init__(self, table_name: str, column_name: str, schema: str | None = None) -> None:
        self.table_name, self.column_name, self.schema = table_name, column_name, schema

    @classmethod
    def set_not_null_safely(
        cls, operations: Operations, table_name: str, column_name: str, *, schema: str | None = None
    ) -> None:
        """Set a column NOT NULL while everybody goes on reading and writing; commits.

        Raises `MigrationError` if there are NULLs, and leaves nothing behind then. Reverse:
        `op.alter_column(table, column, nullable=True)`.
        """
        operations.invoke(cls(table_name, column_name, schema))

    def reverse(self) -> AlterColumnOp:
        """Give the operation that allows NULL again."""
        return AlterColumnOp(self.table_name, self.column_name, schema=self.schema, modify_nullable=True)


class _State(NamedTuple):
    is_not_null: bool
    has_stand_in: bool
    not_valid: str | None


@Operations.implementation_for(SetNotNullSafelyOp)
def _set_not_null(operations: Operations, op: SetNotNullSafelyOp) -> None:
    with committing(operations, "set_not_null_safely") as context:
        steps = _Steps(context, op)
        if context.as_sql:
            steps.write()
        elif (connection_of(context).dialect.server_version_info or ()) >= (NOT_VALID_SINCE,):
            steps.by_not_null()
        else:
            steps.by_check()


class _Steps:
    """The statements for one column."""

    def __init__(self, context: MigrationContext, op: SetNotNullSafelyOp) -> None:
        self._context, self._op = context, op
        self._table = quoted(context, op.table_name, op.schema)
        self._column = quoted(context, op.column_name)
        self._stand_in = _stand_in(op.column_name)

    def write(self) -> None:
        """Write the script, which holds for every version of the server and may be run again."""
        for change in (
            f"DROP CONSTRAINT IF EXISTS {self._stand_in_quoted}",
            self._add_stand_in,
            f"VALIDATE CONSTRAINT {self._stand_in_quoted}",
            f"ALTER COLUMN {self._column} SET NOT NULL",
            f"DROP CONSTRAINT {self._stand_in_quoted}",
        ):
            run(self._context, f"ALTER TABLE {self._table} {change}")

    def by_not_null(self) -> None:
        """Add NOT NULL that is NOT VALID, and validate it."""
        if not self._state().is_not_null:
            self._shortly(f"ADD NOT NULL {self._column} NOT VALID")
        if name := self._state().not_valid:
            self._validate(name, undo=f"ALTER COLUMN {self._column} DROP NOT NULL")
        self._drop_stand_in()

    def by_check(self) -> None:
        """Have a CHECK stand in until NOT NULL is set."""
        state = self._state()
        if not state.is_not_null:
            if not state.has_stand_in:
                self._shortly(self._add_stand_in)
            self._validate(self._stand_in_quoted, undo=f"DROP CONSTRAINT {self._stand_in_quoted}")
            self._shortly(f"ALTER COLUMN {self._column} SET NOT NULL")
        self._drop_stand_in()

    @property
    def _stand_in_quoted(self) -> str:
        return quoted(self._context, self._stand_in)

    @property
    def _add_stand_in(self) -> str:
        return f"ADD CONSTRAINT {self._stand_in_quoted} CHECK ({self._column} IS NOT NULL) NOT VALID"

    def _drop_stand_in(self) -> None:
        if self._state().has_stand_in:
            self._shortly(f"DROP CONSTRAINT IF EXISTS {self._stand_in_quoted}")

    def _validate(self, constraint: str, undo: str) -> None:
        try:
            with no_timeouts(self._context):  # it keeps out nobody while it waits, and may take hours
                run(self._context, f"ALTER TABLE {self._table} VALIDATE CONSTRAINT {constraint}")
        except (CheckViolation, NotNullViolation) as error:
            self._shortly(undo)
            raise MigrationError(
                f"cannot set {self._table}.{self._column} NOT NULL: it has NULLs. Fill them, by op.backfill in a "
                "revision before this one, and run the upgrade again. Nothing is left of the attempt."
            ) from error

    def _shortly(self, change: str) -> None:
        statement = f"ALTER TABLE {self._table} {change}"
        with short_lock_timeout(self._context, TABLE_LOCK_MS):
            patiently(self._context, lambda: run(self._context, statement), f"op.set_not_null_safely of {self._table}")

    def _state(self) -> _State:
        names = {"table": self._table, "column": self._op.column_name, "stand_in": self._stand_in}
        row = connection_of(self._context).execute(_STATE, names).first()
        if row is None:
            raise MigrationError(f"cannot set {self._table}.{self._column} NOT NULL: there is no such column.")
        return _State(*row)


def _stand_in(column: str) -> str:
    name = f"dal_not_null_{column}"
    return (
        name
        if len(name.encode()) <= _NAME_BYTES
        else f"dal_not_null_{hashlib.sha256(column.encode()).hexdigest()[:32]}"
    )


@renderers.dispatch_for(SetNotNullSafelyOp)
def _render(autogen: AutogenContext, op: SetNotNullSafelyOp) -> str:
    return call(autogen, "set_not_null_safely", op.table_name, op.column_name, schema=op.schema)
