"""A column that no row can have.

finds adding-required-field in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "column_required"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("order", sa.Column("channel", sa.Text, nullable=False))
