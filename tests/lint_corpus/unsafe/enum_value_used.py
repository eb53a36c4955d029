"""The server refuses to use a value before it is committed.

finds enum-value-used in line 16
"""

from __future__ import annotations

from alembic import op

revision = "enum_value_used"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TYPE order_status ADD VALUE 'returned' AFTER 'shipped'")
    op.execute("UPDATE \"order\" SET status = 'returned' WHERE status = 'shipped' AND total < 0")
