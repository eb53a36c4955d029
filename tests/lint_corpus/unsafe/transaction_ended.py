"""It commits what Alembic wants to be able to undo.

finds transaction-nesting in line 15
"""

from __future__ import annotations

from alembic import op

revision = "transaction_ended"
down_revision = "shop"


def upgrade() -> None:
    op.execute("COMMIT")
