"""A constraint that the models still have.

finds ban-drop-constraint in line 15
"""

from __future__ import annotations

from alembic import op

revision = "constraint_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.drop_constraint("ck_order_due", "order")
