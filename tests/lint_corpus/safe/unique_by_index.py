"""A constraint that takes an index that is there."""

from __future__ import annotations

from alembic import op

revision = "unique_by_index"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE customer ADD CONSTRAINT uq_customer_code UNIQUE USING INDEX ix_customer_code")
