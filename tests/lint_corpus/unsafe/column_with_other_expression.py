"""Another expression rewrites the table.

finds ban-alter-generated-expression in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_with_other_expression"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE log ALTER COLUMN size SET EXPRESSION AS (id * 2)")
