"""NOT NULL that needs to read nothing, for the check is valid."""

from __future__ import annotations

from alembic import op

revision = "not_null"
down_revision = "not_null_not_valid"


def upgrade() -> None:
    op.execute("ALTER TABLE line VALIDATE CONSTRAINT nn_line_price")
    op.alter_column("line", "price", nullable=False)
    op.drop_constraint("nn_line_price", "line")
