"""Services that still run lose them.

finds ban-revoke in line 15
"""

from __future__ import annotations

from alembic import op

revision = "rights_revoked"
down_revision = "shop"


def upgrade() -> None:
    op.execute("REVOKE SELECT ON customer FROM reporting")
