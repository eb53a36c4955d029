"""An autocommit block alone does not make it concurrent.

finds require-concurrent-index-creation in line 16
"""

from __future__ import annotations

from alembic import op

revision = "index_in_autocommit"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_order_due", "order", ["due"], if_not_exists=True)
