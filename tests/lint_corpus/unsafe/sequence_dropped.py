"""Somebody may draw numbers from it.

finds ban-drop-sequence in line 15
"""

from __future__ import annotations

from alembic import op

revision = "sequence_dropped"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP SEQUENCE invoice_number")
