"""A table with its keys and indexes: nobody uses it yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "table_new"
down_revision = "shop"


def upgrade() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("order_id", sa.BigInteger, sa.ForeignKey("order.id"), nullable=False, index=True),
        sa.Column("customer_id", sa.BigInteger, sa.ForeignKey("customer.id"), nullable=False),
        sa.Column("number", sa.String(20), nullable=False, unique=True),
        sa.Column("paid", sa.DateTime),
        sa.CheckConstraint("number <> ''", name="ck_invoice_number"),
    )
    op.create_index("ix_invoice_customer_id", "invoice", ["customer_id", "paid"])
