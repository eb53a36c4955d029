"""NOT NULL reads every row, with everybody waiting.

finds adding-not-nullable-field in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_not_null"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("order", "note", nullable=False)
