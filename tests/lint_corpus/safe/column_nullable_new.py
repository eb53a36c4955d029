"""A column that may be empty."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "column_nullable_new"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("order", sa.Column("voucher", sa.Text))
