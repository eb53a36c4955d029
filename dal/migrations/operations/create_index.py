"""`op.create_index_concurrently`: an index, while everybody goes on writing.

Holds SHARE UPDATE EXCLUSIVE on its table, which no reader and no writer meets, and waits for every transaction that is
older. Whatever interrupts it, the next run drops what is left and begins anew. Refuses partitioned tables, where
PostgreSQL cannot do it, and says what can be done instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations
from alembic.operations.ops import CreateIndexOp, DropIndexOp
from alembic.runtime.migration import MigrationContext
from sqlalchemy import ColumnElement, TextClause, text

from dal.errors import ConnectionLost, DatabaseError, DeadlockDetected, MigrationError, UniqueViolation
from dal.migrations.operations.committing import committing
from dal.migrations.operations.index_found import clear, is_there
from dal.migrations.operations.index_waits import log_who_is_waited_for
from dal.migrations.operations.rendering import call, renamed
from dal.migrations.operations.sql import connection_of, literal, quoted, run
from dal.migrations.operations.timeouts import TABLE_LOCK_MS, no_timeouts

ATTEMPTS: Final = 3
_IS_PARTITIONED: Final = text("SELECT relkind = 'p' FROM pg_class WHERE oid = pg_catalog.to_regclass(:table)")


@Operations.register_operation("create_index_concurrently")
class CreateIndexConcurrentlyOp(CreateIndexOp):
    """Create an index concurrently."""

    @classmethod
    def create_index_concurrently(  # noqa: PLR0913 # as op.create_index
        cls,
        operations: Operations,
        index_name: str,
        table_name: str,
        columns: Sequence[str | TextClause | ColumnElement[Any]],
        *,
        schema: str | None = None,
        unique: bool = False,
        where: str | TextClause | ColumnElement[bool] | None = None,
        using: str | None = None,
        include: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        """Create an index while everybody goes on writing; commits.

        *options* are those of `op.create_index`, such as `postgresql_ops`. An index of that name that is invalid is
        dropped first, one that is valid is taken if its definition is the same. Raises `MigrationError` if it is
        another, for duplicates under a unique index, and for partitioned tables. Reverse: `op.drop_index_concurrently`.
        """
        short = {"postgresql_where": where, "postgresql_using": using, "postgresql_include": include}
        options |= {name: value for name, value in short.items() if value is not None}
        operations.invoke(cls(index_name, table_name, columns, schema=schema, unique=unique, **options))

    def reverse(self) -> DropIndexOp:
        """Give the operation that drops it."""
        return DropIndexConcurrentlyOp.from_index(self.to_index())


@Operations.register_operation("drop_index_concurrently")
class DropIndexConcurrentlyOp(DropIndexOp):
    """Drop an index concurrently."""

    @classmethod
    def drop_index_concurrently(
        cls, operations: Operations, index_name: str, table_name: str | None = None, *, schema: str | None = None
    ) -> None:
        """Drop an index while everybody goes on reading and writing; commits.

        One that is gone is no error: the run before this one may have dropped it. Reverse:
        `op.create_index_concurrently`.
        """
        operations.invoke(cls(index_name, table_name, schema=schema))

    def reverse(self) -> CreateIndexOp:
        """Give the operation that creates it again."""
        return CreateIndexConcurrentlyOp.from_index(self.to_index())


@Operations.implementation_for(CreateIndexConcurrentlyOp)
def _create_index(operations: Operations, op: CreateIndexConcurrentlyOp) -> None:
    op.kw["postgresql_concurrently"] = True
    with committing(operations, "create_index_concurrently") as context:
        if context.as_sql:
            run(context, _drop_if_invalid(context, op))
            context.impl.create_index(op.to_index(context), if_not_exists=True)
            return
        _refuse_partitioned(context, op)
        with no_timeouts(context):
            _create(context, op)


def _drop_if_invalid(context: MigrationContext, op: CreateIndexConcurrentlyOp) -> str:
    """Write what a script can do about what an interruption has left: no block can drop concurrently."""
    name = quoted(context, str(op.index_name), op.schema)
    return f"""DO $dal$ BEGIN
    IF EXISTS (SELECT FROM pg_index WHERE indexrelid = pg_catalog.to_regclass({literal(name)}) AND NOT indisvalid) THEN
        PERFORM pg_catalog.set_config('lock_timeout', '{TABLE_LOCK_MS}', true);
        DROP INDEX {name};
    END IF;
END $dal$"""  # a quoted name


def _create(context: MigrationContext, op: CreateIndexConcurrentlyOp) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        if is_there(context, op):
            return
        log_who_is_waited_for(context, f"index {op.index_name}")
        try:
            context.impl.create_index(op.to_index(context))
        except ConnectionLost:
            raise
        except DeadlockDetected:
            if attempt == ATTEMPTS:
                clear(context, op)
                raise
        except UniqueViolation as error:
            clear(context, op)
            raise _duplicates(context, op) from error
        except DatabaseError:
            clear(context, op)
            raise
        else:
            return


def _refuse_partitioned(context: MigrationContext, op: CreateIndexConcurrentlyOp) -> None:
    if connection_of(context).scalar(_IS_PARTITIONED, {"table": quoted(context, op.table_name, op.schema)}):
        raise MigrationError(
            f"cannot create index {op.index_name} concurrently: {op.table_name} is partitioned. Create one on each of "
            "its partitions by op.create_index_concurrently, then the whole by op.create_index in a revision of its "
            "own: it takes over those that are there, in no time."
        )


def _duplicates(context: MigrationContext, op: CreateIndexConcurrentlyOp) -> MigrationError:
    columns = ", ".join(column if isinstance(column, str) else str(column) for column in op.columns)
    table = quoted(context, op.table_name, op.schema)
    search = f"SELECT {columns}, count(*) FROM {table} GROUP BY {columns} HAVING count(*) > 1"  # noqa: S608 # is not sent
    return MigrationError(
        f"cannot create the unique index {op.index_name}: {table} has rows that are equal in ({columns}). Find them by "
        f"{search}; mend them, and run the upgrade again. Nothing is left of the index."
    )


@Operations.implementation_for(DropIndexConcurrentlyOp)
def _drop_index(operations: Operations, op: DropIndexConcurrentlyOp) -> None:
    name = quoted(operations.migration_context, str(op.index_name), op.schema)
    with committing(operations, "drop_index_concurrently") as context:
        statement = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
        if context.as_sql:
            run(context, statement)
            return
        with no_timeouts(context):
            log_who_is_waited_for(context, f"dropping index {op.index_name}")
            run(context, statement)


@renderers.dispatch_for(CreateIndexConcurrentlyOp)
def _render_create(autogen: AutogenContext, op: CreateIndexConcurrentlyOp) -> str:
    plain = CreateIndexOp.from_index(op.to_index())
    return renamed(renderers.dispatch(plain)(autogen, plain), "create_index", "create_index_concurrently")


@renderers.dispatch_for(DropIndexConcurrentlyOp)
def _render_drop(autogen: AutogenContext, op: DropIndexConcurrentlyOp) -> str:
    return call(autogen, "drop_index_concurrently", str(op.index_name), op.table_name, schema=op.schema)
