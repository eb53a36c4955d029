"""NOT NULL for rows to come."""

from __future__ import annotations

from alembic import op

revision = "not_null_not_valid"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE line ADD CONSTRAINT nn_line_price CHECK (price IS NOT NULL) NOT VALID")
