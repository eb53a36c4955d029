"""A foreign key of a table that is made in the same revision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "table_new_with_key_later"
down_revision = "shop"


def upgrade() -> None:
    op.create_table(
        "parcel",
        sa.Column("order_id", sa.BigInteger, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
    )
    op.create_foreign_key("fk_parcel_order", "parcel", "order", ["order_id"], ["id"])
