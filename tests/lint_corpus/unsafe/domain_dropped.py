"""Columns may have it.

finds ban-drop-domain in line 15
"""

from __future__ import annotations

from alembic import op

revision = "domain_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP DOMAIN amount")
