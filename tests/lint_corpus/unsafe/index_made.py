"""An index that is built while writers wait.

finds require-concurrent-index-creation in line 15
"""

from __future__ import annotations

from alembic import op

revision = "index_made"
down_revision = "shop"


def upgrade() -> None:
    op.create_index("ix_order_status", "order", ["status"])
