"""A column that comes with its foreign key.

finds adding-foreign-key-constraint in line 17
finds require-concurrent-index-creation in line 17
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "foreign_key_with_column"
down_revision = "shop"


def upgrade() -> None:
    op.add_column(
        "ticket",
        sa.Column("order_id", sa.BigInteger, sa.ForeignKey("order.id"), index=True),
    )
