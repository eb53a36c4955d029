"""Without a policy, no row is visible.

finds ban-alter-row-level-security in line 15
"""

from __future__ import annotations

from alembic import op

revision = "table_with_row_level_security"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE customer ENABLE ROW LEVEL SECURITY")
