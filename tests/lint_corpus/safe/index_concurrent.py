"""An index built while everybody works, alone in its revision."""

from __future__ import annotations

from alembic import op

revision = "index_concurrent"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_order_placed", "order", ["placed"], postgresql_concurrently=True, if_not_exists=True)
