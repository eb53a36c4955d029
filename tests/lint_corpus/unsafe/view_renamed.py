"""Somebody may read it by its name.

finds renaming-object in line 15
"""

from __future__ import annotations

from alembic import op

revision = "view_renamed"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER VIEW open_orders RENAME TO orders_open")
