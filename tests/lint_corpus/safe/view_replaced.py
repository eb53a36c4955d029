"""A view that is made, and made again."""

from __future__ import annotations

from alembic import op

revision = "view_replaced"
down_revision = "shop"


def upgrade() -> None:
    op.execute('CREATE VIEW big_orders AS SELECT id FROM "order" WHERE total > 1000')
    op.execute('CREATE OR REPLACE VIEW big_orders AS SELECT id FROM "order" WHERE total > 2000')
