"""What it sends depends on the rows.

finds not-rendered in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "rows_read"
down_revision = "shop"


def upgrade() -> None:
    for (key,) in op.get_bind().execute(sa.text("SELECT id FROM customer")):
        op.execute(f"UPDATE customer SET phone = NULL WHERE id = {key}")
