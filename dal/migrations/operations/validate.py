"""`op.validate_constraint`: hold the rows that are there against a constraint that was added NOT VALID.

Reads the whole table under SHARE UPDATE EXCLUSIVE, which no reader and no writer meets; part of its revision's
transaction. Refuses where that transaction holds a stronger lock on the table, which would be held for as long as the
reading takes.
"""

from __future__ import annotations

from typing import Final

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.errors import MigrationError
from dal.migrations.operations.rendering import call
from dal.migrations.operations.sql import connection_of, quoted, run

_STRONG: Final = text("""
    SELECT mode FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = pg_catalog.to_regclass(:table)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
""")

_LIMIT: Final = text("SELECT pg_catalog.current_setting('statement_timeout')")
# For the transaction: what fails in between is rolled back with it.
_SET_LIMIT: Final = text("SELECT pg_catalog.set_config('statement_timeout', :limit, true)")


@Operations.register_operation("validate_constraint")
class ValidateConstraintOp(MigrateOperation):
    """Validate a constraint."""

    def __init__(self, constraint_name: str, table_name: str, schema: str | None = None) -> None:
        self.constraint_name, self.table_name, self.schema = constraint_name, table_name, schema

    @classmethod
    def validate_constraint(
        cls, operations: Operations, constraint_name: str, table_name: str, *, schema: str | None = None
    ) -> None:
        """Read the table's rows against a constraint that was added NOT VALID, in an earlier revision.

        Raises `MigrationError` in the transaction that added it, and the server's violation if a row does not fit.
        Nothing reverses it, and nothing needs to: a downgrade has no more to do here.
        """
        operations.invoke(cls(constraint_name, table_name, schema))


@Operations.implementation_for(ValidateConstraintOp)
def _validate(operations: Operations, op: ValidateConstraintOp) -> None:
    context = operations.migration_context
    table = quoted(context, op.table_name, op.schema)
    statement = f"ALTER TABLE {table} VALIDATE CONSTRAINT {quoted(context, op.constraint_name)}"
    if context.as_sql:
        run(context, statement)
        return
    _refuse_a_strong_lock(context, op, table)
    _take_its_time(context, statement)


def _take_its_time(context: MigrationContext, statement: str) -> None:
    """Run *statement* without the role's or the database's limit, which what reads a large table does not keep."""
    connection = connection_of(context)
    was = connection.scalar(_LIMIT)
    connection.execute(_SET_LIMIT, {"limit": "0"})
    run(context, statement)
    connection.execute(_SET_LIMIT, {"limit": was})


def _refuse_a_strong_lock(context: MigrationContext, op: ValidateConstraintOp, table: str) -> None:
    mode = connection_of(context).scalar(_STRONG, {"table": table})
    if mode:
        raise MigrationError(
            f"cannot validate {op.constraint_name} here: this revision's transaction holds {mode} on {table}, and "
            "nobody could write while all of it is read. Validate in a revision of its own, after the one that adds "
            "the constraint."
        )


@renderers.dispatch_for(ValidateConstraintOp)
def _render(autogen: AutogenContext, op: ValidateConstraintOp) -> str:
    return call(autogen, "validate_constraint", op.constraint_name, op.table_name, schema=op.schema)
