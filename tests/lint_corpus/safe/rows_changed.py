"""Rows, by one statement."""

from __future__ import annotations

from alembic import op

revision = "rows_changed"
down_revision = "shop"


def upgrade() -> None:
    op.execute("UPDATE customer SET phone = NULL WHERE phone = ''")
