"""Another type rewrites the table.

finds changing-column-type in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "column_type"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("order", "total", type_=sa.BigInteger, existing_type=sa.Numeric)
