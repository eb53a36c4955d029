"""Two of a batch: one is safe, one is not, and the batch sends both.

finds adding-required-field in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "column_required_in_batch"
down_revision = "shop"


def upgrade() -> None:
    with op.batch_alter_table("order") as batch:
        batch.add_column(sa.Column("shop", sa.Text))
        batch.add_column(sa.Column("desk", sa.Text, nullable=False))
