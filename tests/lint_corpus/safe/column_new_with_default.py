"""A default that is one and the same for all rows is not written to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "column_new_with_default"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("order", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
