"""CONCURRENTLY, in the transaction of the revision.

finds ban-concurrent-index-creation-in-transaction in line 15
"""

from __future__ import annotations

from alembic import op

revision = "index_concurrent_in_transaction"
down_revision = "shop"


def upgrade() -> None:
    op.create_index("ix_order_total", "order", ["total"], postgresql_concurrently=True)
