"""Replicas that still run look for it where it was.

finds ban-set-schema in line 15
"""

from __future__ import annotations

from alembic import op

revision = "table_moved"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE log SET SCHEMA archive")
