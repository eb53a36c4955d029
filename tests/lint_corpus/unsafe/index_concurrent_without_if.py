"""A second run meets what the first one left.

finds prefer-robust-stmts in line 16
"""

from __future__ import annotations

from alembic import op

revision = "index_concurrent_without_if"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_order_note", "order", ["note"], postgresql_concurrently=True)
