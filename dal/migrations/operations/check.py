"""`op.add_check_not_valid`: a CHECK for what is written from now on; the rows that are there come later.

Takes ACCESS EXCLUSIVE on its table, and reads no row. It is part of its revision's transaction. The rows are read by
`op.validate_constraint`, in a later revision.
"""

from __future__ import annotations

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations
from alembic.operations.ops import CreateCheckConstraintOp
from sqlalchemy import ColumnElement, TextClause

from dal.migrations.operations.rendering import renamed


@Operations.register_operation("add_check_not_valid")
class AddCheckNotValidOp(CreateCheckConstraintOp):
    """Add a CHECK that the table's rows are not held against; Alembic's own implementation runs it."""

    @classmethod
    def add_check_not_valid(
        cls,
        operations: Operations,
        constraint_name: str,
        table_name: str,
        condition: str | ColumnElement[bool] | TextClause,
        *,
        schema: str | None = None,
    ) -> None:
        """Add a CHECK without reading the rows that are there. Reverse: `op.drop_constraint`."""
        operations.invoke(cls(constraint_name, table_name, condition, schema=schema, postgresql_not_valid=True))


@renderers.dispatch_for(AddCheckNotValidOp)
def _render(autogen: AutogenContext, op: AddCheckNotValidOp) -> str:
    plain = CreateCheckConstraintOp(op.constraint_name, op.table_name, op.condition, schema=op.schema)
    return renamed(renderers.dispatch(plain)(autogen, plain), "create_check_constraint", "add_check_not_valid")
