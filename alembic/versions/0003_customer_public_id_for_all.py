"""The same number for customers that were there before; unique, and never missing.

Revision: 0003, after 0002
"""

# What dal registers with Alembic is not in its types.
# mypy: disable-error-code="attr-defined"

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.backfill("customer", {"public_id": sa.text("gen_random_uuid()")}, where="public_id IS NULL", key=["id"])
    op.create_index_concurrently("ix_customer_public_id", "customer", ["public_id"], unique=True)
    op.set_not_null_safely("customer", "public_id")


def downgrade() -> None:
    op.drop_index_concurrently("ix_customer_public_id", "customer")
    op.alter_column("customer", "public_id", nullable=True)
