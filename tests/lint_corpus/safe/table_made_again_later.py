"""The later revision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "table_made_again_later"
down_revision = "table_made_again"


def upgrade() -> None:
    op.create_table("basket", sa.Column("id", sa.BigInteger, primary_key=True))
