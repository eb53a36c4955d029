"""Somebody may read it.

finds ban-drop-view in line 15
"""

from __future__ import annotations

from alembic import op

revision = "view_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP VIEW open_orders")
