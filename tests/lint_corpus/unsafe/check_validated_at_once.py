"""A check that is validated under the lock that made it.

finds constraint-missing-not-valid in line 16
"""

from __future__ import annotations

from alembic import op

revision = "check_validated_at_once"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE ticket ADD CONSTRAINT ck_ticket_title CHECK (title <> '') NOT VALID")
    op.execute("ALTER TABLE ticket VALIDATE CONSTRAINT ck_ticket_title")
