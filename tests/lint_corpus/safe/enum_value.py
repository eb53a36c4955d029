"""A value that is added, and used by nobody yet."""

from __future__ import annotations

from alembic import op

revision = "enum_value"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'lost'")
