"""A number that the server no longer gives.

finds ban-alter-identity in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_identity"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE customer ALTER COLUMN id DROP IDENTITY")
