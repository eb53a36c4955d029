"""Which of the two?

finds ban-duplicate-column-assignments in line 15
"""

from __future__ import annotations

from alembic import op

revision = "assigned_twice"
down_revision = "shop"


def upgrade() -> None:
    op.execute("UPDATE customer SET phone = '', phone = NULL WHERE id = 1")
