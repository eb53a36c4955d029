"""Writers have to compute it from now on.

finds ban-drop-generated-expression in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_without_expression"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE log ALTER COLUMN size DROP EXPRESSION")
