"""A check for rows to come."""

from __future__ import annotations

from alembic import op

revision = "check_not_valid"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE line ADD CONSTRAINT ck_line_price CHECK (price >= 0) NOT VALID")
