"""A foreign key that checks every row, with writers of two tables waiting.

finds adding-foreign-key-constraint in line 15
"""

from __future__ import annotations

from alembic import op

revision = "foreign_key"
down_revision = "shop"


def upgrade() -> None:
    op.create_foreign_key("fk_ticket_customer", "ticket", "customer", ["customer_id"], ["id"])
