"""A new key writes every row and builds an index.

finds adding-serial-primary-key-field in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_serial_key"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE log ADD COLUMN number bigserial PRIMARY KEY")
