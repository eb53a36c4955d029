"""An ignore has to say why.

finds bad-ignore in line 15
"""

from __future__ import annotations

from alembic import op

revision = "ignored_without_reason"
down_revision = "shop"


def upgrade() -> None:
    op.drop_column("customer", "name")  # dal: ignore[ban-drop-column]
