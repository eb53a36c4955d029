"""Replicas that still run read the old name.

finds renaming-column in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_renamed"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("order", "note", new_column_name="remark")
