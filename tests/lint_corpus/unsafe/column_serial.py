"""Each row gets a number: the table is written anew.

finds long-lock in line 15
"""

from __future__ import annotations

from alembic import op

revision = "column_serial"
down_revision = "shop"


def upgrade() -> None:
    op.execute('ALTER TABLE "order" ADD COLUMN number bigserial')
