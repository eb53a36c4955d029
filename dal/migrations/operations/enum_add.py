"""`op.add_enum_value`, and `op.check_enum_value_unused`, which is what its downgrade can do.

PostgreSQL adds a value at once, whatever the tables' sizes, but forbids its use in the transaction that adds it: so it
is committed by itself, and what follows in the revision may use it. It cannot take a value away without writing every
table anew; the type keeps it after a downgrade, which is refused while a row has it, since the older code could not
read that.
"""

from __future__ import annotations

from typing import Final

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dal.errors import MigrationError
from dal.migrations.operations.committing import committing
from dal.migrations.operations.rendering import call
from dal.migrations.operations.sql import connection_of, literal, quoted, run, verbatim

# Of the type itself, of arrays of it, and of domains over either; but not what other sessions have for themselves.
_COLUMNS: Final = text("""
    WITH RECURSIVE has (type, is_array) AS (
        SELECT oid, oid <> pg_catalog.to_regtype(:type) FROM pg_type
        WHERE pg_catalog.to_regtype(:type) IN (oid, typelem)
        UNION SELECT t.oid, is_array FROM has JOIN pg_type t ON t.typbasetype = has.type
    )
    SELECT CAST(CAST(c.oid AS regclass) AS text), pg_catalog.quote_ident(a.attname), is_array
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN has ON has.type = a.atttypid
    WHERE c.relkind IN ('r', 'm') AND NOT a.attisdropped AND c.relpersistence <> 't'
    ORDER BY 1, 2
""")


@Operations.register_operation("add_enum_value")
class AddEnumValueOp(MigrateOperation):
    """Add a value; *perhaps_renamed* are the values that a model has lost, for the comment in a generated revision."""

    def __init__(
        self,
        type_name: str,
        value: str,
        *,
        before: str | None = None,
        after: str | None = None,
        schema: str | None = None,
        perhaps_renamed: tuple[str, ...] = (),
    ) -> None:
        if before is not None and after is not None:
            raise MigrationError(f"op.add_enum_value of {type_name}: give before= or after=, not both.")
        self.type_name, self.value, self.schema = type_name, value, schema
        self.before, self.after, self.perhaps_renamed = before, after, perhaps_renamed

    @classmethod
    def add_enum_value(
        cls,
        operations: Operations,
        type_name: str,
        value: str,
        *,
        before: str | None = None,
        after: str | None = None,
        schema: str | None = None,
    ) -> None:
        """Add *value* to an enum type, unless it is there; commits. Reverse: `op.check_enum_value_unused`."""
        operations.invoke(cls(type_name, value, before=before, after=after, schema=schema))

    def reverse(self) -> CheckEnumValueUnusedOp:
        """Give the operation that refuses the downgrade while a row has the value."""
        return CheckEnumValueUnusedOp(self.type_name, self.value, self.schema)

    def to_diff_tuple(self) -> tuple[str, str | None, str, str]:
        """Say the difference as `alembic check` does."""
        return ("add_enum_value", self.schema, self.type_name, self.value)


@Operations.register_operation("check_enum_value_unused")
class CheckEnumValueUnusedOp(MigrateOperation):
    """Refuse if a row has a value."""

    def __init__(self, type_name: str, value: str, schema: str | None = None) -> None:
        self.type_name, self.value, self.schema = type_name, value, schema

    @classmethod
    def check_enum_value_unused(
        cls, operations: Operations, type_name: str, value: str, *, schema: str | None = None
    ) -> None:
        """Raise `MigrationError` if a row has *value*; changes nothing, and the type keeps it.

        Reads every table that has a column, or an array, of the type. Reverse: `op.add_enum_value`.
        """
        operations.invoke(cls(type_name, value, schema))

    def reverse(self) -> AddEnumValueOp:
        """Give the operation that adds the value, at the end."""
        return AddEnumValueOp(self.type_name, self.value, schema=self.schema)


@Operations.implementation_for(AddEnumValueOp)
def _add(operations: Operations, op: AddEnumValueOp) -> None:
    with committing(operations, "add_enum_value") as context:
        place = f" BEFORE {literal(op.before)}" if op.before is not None else ""
        place += f" AFTER {literal(op.after)}" if op.after is not None else ""
        name = quoted(context, op.type_name, op.schema)
        run(context, f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {literal(op.value)}{place}")


@Operations.implementation_for(CheckEnumValueUnusedOp)
def _check(operations: Operations, op: CheckEnumValueUnusedOp) -> None:
    context = operations.migration_context
    name = quoted(context, op.type_name, op.schema)
    if context.as_sql:
        context.impl.static_output(f"-- {name} keeps {literal(op.value)}: check that no row has it.")
        return
    for table, column, is_array in connection_of(context).execute(_COLUMNS, {"type": name}).all():
        has = f"ANY (CAST({column} AS {name}[]))" if is_array else f"CAST({column} AS {name})"
        if _is_used(context, f"{table} WHERE {literal(op.value)} = {has}"):
            raise MigrationError(
                f"cannot go back: rows of {table} have the value {literal(op.value)} of {name} in {column}, which the "
                "code before this revision does not know. Give them another value first."
            )


def _is_used(context: MigrationContext, where: str) -> bool:
    statement = f"SELECT EXISTS (SELECT FROM ONLY {where})"  # noqa: S608 # quoted names and a literal
    return bool(connection_of(context).scalar(verbatim(statement)))


@renderers.dispatch_for(AddEnumValueOp)
def _render_add(autogen: AutogenContext, op: AddEnumValueOp) -> str:
    hint = " or ".join(call(autogen, "rename_enum_value", op.type_name, old, op.value) for old in op.perhaps_renamed)
    comment = f"  # or, if it is only called otherwise now: {hint}" if hint else ""
    place = {"before": op.before, "after": op.after}
    return call(autogen, "add_enum_value", op.type_name, op.value, **place, schema=op.schema) + comment


@renderers.dispatch_for(CheckEnumValueUnusedOp)
def _render_check(autogen: AutogenContext, op: CheckEnumValueUnusedOp) -> str:
    return call(autogen, "check_enum_value_unused", op.type_name, op.value, schema=op.schema)
