"""Somebody may call it.

finds ban-drop-function in line 15
"""

from __future__ import annotations

from alembic import op

revision = "function_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP FUNCTION total_of(bigint)")
