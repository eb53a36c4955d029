"""Replicas that still run read the old name.

finds renaming-table in line 15
"""

from __future__ import annotations

from alembic import op

revision = "table_renamed"
down_revision = "shop"


def upgrade() -> None:
    op.rename_table("customer", "client")
