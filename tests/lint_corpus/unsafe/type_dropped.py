"""A type that a model still has.

finds ban-drop-type in line 15
"""

from __future__ import annotations

from alembic import op

revision = "type_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP TYPE order_status")
