"""Readers that know no NULL get one.

finds ban-drop-not-null in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_nullable"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("order", "status", nullable=True)
