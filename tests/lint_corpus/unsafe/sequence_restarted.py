"""Numbers are given twice.

finds ban-alter-sequence-values in line 15
"""

from __future__ import annotations

from alembic import op

revision = "sequence_restarted"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER SEQUENCE invoice_number RESTART WITH 1")
