"""Dropped here, and made again by a later revision: that one is what the models have."""

from __future__ import annotations

from alembic import op

revision = "table_made_again"
down_revision = "shop"


def upgrade() -> None:
    op.drop_table("basket")
