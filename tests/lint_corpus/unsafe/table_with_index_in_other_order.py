"""An index that begins with another column does not find the key.

finds foreign-key-without-index in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "table_with_index_in_other_order"
down_revision = "shop"


def upgrade() -> None:
    op.create_table(
        "stay",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("customer_id", sa.BigInteger, sa.ForeignKey("customer.id"), nullable=False),
        sa.Column("day", sa.Date),
        sa.Index("ix_stay", "day", "customer_id"),
    )
