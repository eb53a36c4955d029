"""It changes every database of the server.

finds ban-alter-system-options in line 16
"""

from __future__ import annotations

from alembic import op

revision = "system_altered"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER SYSTEM SET work_mem = '64MB'")
