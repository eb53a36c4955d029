"""A delete of a customer reads all visits.

finds foreign-key-without-index in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "table_without_index_for_its_key"
down_revision = "shop"


def upgrade() -> None:
    op.create_table(
        "visit",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("customer_id", sa.BigInteger, sa.ForeignKey("customer.id"), nullable=False),
    )
