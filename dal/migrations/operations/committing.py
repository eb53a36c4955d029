"""Leave a revision's transaction: what follows is committed statement by statement.

Everything that is done so can be done again, so that a revision which was interrupted is simply run again. That holds
as long as nothing else was committed along with it: refuses where the transaction has written something already, which
would be there for good while its revision is not stamped.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.errors import MigrationError
from dal.migrations.operations.sql import connection_of

# An option of the connection, for who has to know whether the revision may be run again.
MAY_BE_REPEATED: Final = "dal_may_be_repeated"

# The very first revision's transaction has made Alembic's own table, which may be committed at any time: then the locks
# tell whether there was something else.
_HAS_WRITTEN: Final = text("""
    WITH own AS (
        SELECT oid FROM pg_class WHERE relname = :version_table AND xmin = CAST(pg_current_xact_id_if_assigned() AS xid)
        UNION ALL SELECT indexrelid FROM pg_index JOIN pg_class c ON c.oid = indrelid
        WHERE c.relname = :version_table AND c.xmin = CAST(pg_current_xact_id_if_assigned() AS xid)
    )
    SELECT pg_current_xact_id_if_assigned() IS NOT NULL AND (
        NOT EXISTS (SELECT FROM own) OR EXISTS (
            SELECT FROM pg_locks
            WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode <> 'AccessShareLock'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND relation >= 16384 AND relation NOT IN (SELECT oid FROM own)))
""")


@contextmanager
def committing(operations: Operations, name: str) -> Generator[MigrationContext]:
    """Run the block outside of the revision's transaction, on behalf of the operation *name*; one round trip.

    What has failed in the block is what is raised, whatever became of the connection meanwhile.
    """
    context = operations.migration_context
    if not context.as_sql:
        _refuse_outer_transaction(context, name)
        _refuse_what_was_written(context, name)
    failure: BaseException | None = None
    try:
        with _repeatable(context), context.autocommit_block():
            try:
                yield context
            except BaseException as error:
                failure = error
                raise
    except BaseException as error:
        if failure is None or error is failure:
            raise
        # Alembic's way back into a transaction fails on a connection that is gone, and would hide why it is.
        raise failure from failure.__cause__


@contextmanager
def _repeatable(context: MigrationContext) -> Generator[None]:
    if context.connection is None or context.as_sql:
        yield
        return
    context.connection.execution_options(**{MAY_BE_REPEATED: True})
    try:
        yield
    finally:
        context.connection.execution_options(**{MAY_BE_REPEATED: False})


def _refuse_outer_transaction(context: MigrationContext, name: str) -> None:
    # Alembic tells this by an AssertionError, once it has begun to commit.
    if context._in_external_transaction:  # noqa: SLF001 # there is no public name for it; a test holds it
        raise MigrationError(
            f"op.{name} must commit, and its connection is in a transaction that was begun outside of Alembic. Give "
            "Alembic a connection that is in none; dal.migrations.upgrade() does."
        )
    if not context.opts.get("transaction_per_migration"):
        raise MigrationError(
            f"op.{name} must commit, and all revisions are run in one transaction. Have env.py call "
            "dal.migrations.run_env(), or context.configure(transaction_per_migration=True)."
        )


def _refuse_what_was_written(context: MigrationContext, name: str) -> None:
    if connection_of(context).scalar(_HAS_WRITTEN, {"version_table": context.version_table}):
        raise MigrationError(
            f"op.{name} must commit, and operations before it in this revision have written: they would be there for "
            "good, and fail when the revision is run again. Put them behind it, or into a revision of their own."
        )
