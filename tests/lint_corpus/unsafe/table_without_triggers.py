"""Foreign keys are not checked meanwhile.

finds ban-disable-trigger in line 15
"""

from __future__ import annotations

from alembic import op

revision = "table_without_triggers"
down_revision = "shop"


def upgrade() -> None:
    op.execute('ALTER TABLE "order" DISABLE TRIGGER ALL')
