"""A number for each customer that may be shown to others: for new ones at first, so that no row is written anew.

Revision: 0002, after 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customer", sa.Column("public_id", sa.Uuid))
    # Apart from the column: with it, each row would be written anew, for the number that the function gives it.
    op.alter_column("customer", "public_id", server_default=sa.text("gen_random_uuid()"))


def downgrade() -> None:
    op.drop_column("customer", "public_id")
