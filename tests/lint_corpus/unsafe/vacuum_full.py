"""The server of this corpus is 19: it can do better.

finds prefer-repack in line 16
"""

from __future__ import annotations

from alembic import op

revision = "vacuum_full"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("VACUUM FULL log")
