"""A check that reads every row, with everybody waiting.

finds constraint-missing-not-valid in line 15
"""

from __future__ import annotations

from alembic import op

revision = "check"
down_revision = "shop"


def upgrade() -> None:
    op.create_check_constraint("ck_order_total", "order", "total >= 0")
