"""The same in SQL, with one that no model has.

finds ban-drop-column in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_dropped_by_hand"
down_revision = "shop"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE "order"
            DROP COLUMN legacy,
            DROP COLUMN IF EXISTS due
        """
    )
