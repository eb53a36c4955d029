"""Two columns of a batch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "columns_in_batch"
down_revision = "shop"


def upgrade() -> None:
    with op.batch_alter_table("order") as batch:
        batch.add_column(sa.Column("lane", sa.Text))
        batch.add_column(sa.Column("gate", sa.Text))
