"""A slip that would be found in production.

finds syntax-error in line 15
"""

from __future__ import annotations

from alembic import op

revision = "no_sql"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE customer ADD COLUM x text")
