"""An index dropped while everybody works."""

from __future__ import annotations

from alembic import op

revision = "index_dropped_concurrently"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_customer_name", table_name="customer", postgresql_concurrently=True, if_exists=True)
