"""The server cuts the name, and alembic looks for the whole.

finds identifier-too-long in line 15
"""

from __future__ import annotations

from alembic import op

revision = "table_with_long_name"
down_revision = "shop"


def upgrade() -> None:
    op.execute("CREATE TABLE " + "a" * 70 + " (id bigint)")
