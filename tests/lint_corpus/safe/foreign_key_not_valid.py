"""A foreign key for rows to come; its column has an index."""

from __future__ import annotations

from alembic import op

revision = "foreign_key_not_valid"
down_revision = "shop"


def upgrade() -> None:
    op.create_foreign_key("fk_ticket_opener", "ticket", "customer", ["opener_id"], ["id"], postgresql_not_valid=True)
