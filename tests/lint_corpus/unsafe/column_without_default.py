"""Writers that leave it out fail.

finds ban-drop-default in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_without_default"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("order", "status", server_default=None)
