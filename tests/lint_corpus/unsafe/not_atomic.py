"""If the index fails, the column is there all the same.

finds not-atomic in line 18
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "not_atomic"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("order", sa.Column("weight", sa.Numeric))
    with op.get_context().autocommit_block():
        op.create_index("ix_order_weight", "order", ["weight"], postgresql_concurrently=True, if_not_exists=True)
