"""A default that is another one for each row rewrites the table.

finds adding-field-with-default in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "column_with_volatile_default"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("order", sa.Column("token", sa.Uuid, server_default=sa.text("gen_random_uuid()")))
