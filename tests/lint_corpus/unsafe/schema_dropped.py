"""All that is in it goes, too.

finds ban-drop-schema in line 15
"""

from __future__ import annotations

from alembic import op

revision = "schema_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP SCHEMA archive CASCADE")
