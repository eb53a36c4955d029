"""The same, added safely.

finds foreign-key-without-index in line 15
"""

from __future__ import annotations

from alembic import op

revision = "foreign_key_not_valid_without_index"
down_revision = "shop"


def upgrade() -> None:
    op.create_foreign_key("fk_ticket_agent", "ticket", "customer", ["agent_id"], ["id"], postgresql_not_valid=True)
