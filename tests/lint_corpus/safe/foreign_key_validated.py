"""And for the rows that are there, in another revision."""

from __future__ import annotations

from alembic import op

revision = "foreign_key_validated"
down_revision = "foreign_key_not_valid"


def upgrade() -> None:
    op.execute("ALTER TABLE ticket VALIDATE CONSTRAINT fk_ticket_opener")
