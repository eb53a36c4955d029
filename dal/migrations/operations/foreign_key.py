"""`op.add_foreign_key_not_valid`: a foreign key for what is written from now on; the rows that are there come later.

Takes SHARE ROW EXCLUSIVE on both tables, and reads neither. It is part of its revision's transaction. The rows are
read by `op.validate_constraint`, in a later revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations
from alembic.operations.ops import CreateForeignKeyOp

from dal.migrations.operations.rendering import renamed


@Operations.register_operation("add_foreign_key_not_valid")
class AddForeignKeyNotValidOp(CreateForeignKeyOp):
    """Add a foreign key whose table's rows are not read; Alembic's own implementation runs it."""

    @classmethod
    def add_foreign_key_not_valid(
        cls,
        operations: Operations,
        constraint_name: str,
        source_table: str,
        referent_table: str,
        local_cols: Sequence[str],
        remote_cols: Sequence[str],
        **options: Any,
    ) -> None:
        """Add a foreign key without reading the rows that are there; *options* are those of `op.create_foreign_key`.

        Reverse: `op.drop_constraint`.
        """
        columns = (list(local_cols), list(remote_cols))
        operations.invoke(
            cls(constraint_name, source_table, referent_table, *columns, postgresql_not_valid=True, **options)
        )


@renderers.dispatch_for(AddForeignKeyNotValidOp)
def _render(autogen: AutogenContext, op: AddForeignKeyNotValidOp) -> str:
    options = {name: value for name, value in op.kw.items() if name != "postgresql_not_valid"}
    tables = (op.source_table, op.referent_table)
    plain = CreateForeignKeyOp(op.constraint_name, *tables, op.local_cols, op.remote_cols, **options)
    return renamed(renderers.dispatch(plain)(autogen, plain), "create_foreign_key", "add_foreign_key_not_valid")
