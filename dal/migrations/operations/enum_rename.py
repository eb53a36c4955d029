"""`op.rename_enum_value`: another word for a value, at once, whatever the tables' sizes.

Locks no table and is part of its revision's transaction. Code that still says the old word fails from the commit on:
rename only what no running replica writes or compares with.
"""

from __future__ import annotations

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations

from dal.migrations.operations.rendering import call
from dal.migrations.operations.sql import literal, quoted, run


@Operations.register_operation("rename_enum_value")
class RenameEnumValueOp(MigrateOperation):
    """Rename a value."""

    def __init__(self, type_name: str, old: str, new: str, schema: str | None = None) -> None:
        self.type_name, self.old, self.new, self.schema = type_name, old, new, schema

    @classmethod
    def rename_enum_value(
        cls, operations: Operations, type_name: str, old: str, new: str, *, schema: str | None = None
    ) -> None:
        """Rename a value of an enum type. Reverse: the same, the other way round."""
        operations.invoke(cls(type_name, old, new, schema))

    def reverse(self) -> RenameEnumValueOp:
        """Give the operation that renames it back."""
        return RenameEnumValueOp(self.type_name, self.new, self.old, self.schema)


@Operations.implementation_for(RenameEnumValueOp)
def _rename(operations: Operations, op: RenameEnumValueOp) -> None:
    context = operations.migration_context
    name = quoted(context, op.type_name, op.schema)
    run(context, f"ALTER TYPE {name} RENAME VALUE {literal(op.old)} TO {literal(op.new)}")


@renderers.dispatch_for(RenameEnumValueOp)
def _render(autogen: AutogenContext, op: RenameEnumValueOp) -> str:
    return call(autogen, "rename_enum_value", op.type_name, op.old, op.new, schema=op.schema)
