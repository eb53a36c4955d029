"""A stored column rewrites the table.

finds adding-field-with-default in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "column_generated"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("order", sa.Column("double", sa.Numeric, sa.Computed("total * 2", persisted=True)))
