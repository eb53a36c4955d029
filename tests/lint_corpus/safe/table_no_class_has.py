"""A table that no class has any more."""

from __future__ import annotations

from alembic import op

revision = "table_no_class_has"
down_revision = "shop"


def upgrade() -> None:
    op.drop_table("old_order")
