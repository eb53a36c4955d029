"""An ignore that ignores nothing is taken out.

finds unused-ignore in line 16
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ignored_in_vain"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("order", sa.Column("gift", sa.Text))  # dal: ignore[adding-required-field] has a default
