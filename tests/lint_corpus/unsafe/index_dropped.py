"""An index that is dropped while readers wait.

finds require-concurrent-index-deletion in line 15
"""

from __future__ import annotations

from alembic import op

revision = "index_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.drop_index("ix_order_customer_id", table_name="order")
