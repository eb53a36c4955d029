"""Who is to commit it?

finds ban-uncommitted-transaction in line 16
"""

from __future__ import annotations

from alembic import op

revision = "transaction_left_open"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("BEGIN")
