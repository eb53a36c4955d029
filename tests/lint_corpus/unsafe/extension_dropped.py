"""What it brought goes, too.

finds ban-drop-extension in line 15
"""

from __future__ import annotations

from alembic import op

revision = "extension_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP EXTENSION pg_trgm")
