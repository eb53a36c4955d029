"""A primary key that builds its index under the strongest lock.

finds adding-serial-primary-key-field in line 15
"""

from __future__ import annotations

from alembic import op

revision = "primary_key"
down_revision = "shop"


def upgrade() -> None:
    op.create_primary_key("pk_log", "log", ["id"])
