"""A table that the models still have.

finds ban-drop-table in line 15
"""

from __future__ import annotations

from alembic import op

revision = "table_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.drop_table("ticket_tag")
