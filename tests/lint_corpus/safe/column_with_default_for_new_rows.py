"""A default for rows to come."""

from __future__ import annotations

from alembic import op

revision = "column_with_default_for_new_rows"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("order", "note", server_default="")
