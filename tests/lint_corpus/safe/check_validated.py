"""And for the rows that are there, in another revision."""

from __future__ import annotations

from alembic import op

revision = "check_validated"
down_revision = "check_not_valid"


def upgrade() -> None:
    op.execute("ALTER TABLE line VALIDATE CONSTRAINT ck_line_price")
