"""Everything that refers to it is emptied, too.

finds ban-truncate-cascade in line 15
"""

from __future__ import annotations

from alembic import op

revision = "table_truncated"
down_revision = "shop"


def upgrade() -> None:
    op.execute("TRUNCATE customer CASCADE")
