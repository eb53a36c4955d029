"""No comment.

finds ban-drop-database in line 16
"""

from __future__ import annotations

from alembic import op

revision = "database_dropped"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP DATABASE shop")
