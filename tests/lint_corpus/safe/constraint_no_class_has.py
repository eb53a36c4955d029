"""A check that no class has any more."""

from __future__ import annotations

from alembic import op

revision = "constraint_no_class_has"
down_revision = "shop"


def upgrade() -> None:
    op.drop_constraint("ck_order_legacy", "order")
