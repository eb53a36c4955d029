"""A column that the models still have.

finds ban-drop-column in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.drop_column("customer", "email")
