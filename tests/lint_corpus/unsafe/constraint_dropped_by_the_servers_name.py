"""The same, by the name that the server gave it.

finds ban-drop-constraint in line 15
"""

from __future__ import annotations

from alembic import op

revision = "constraint_dropped_by_the_servers_name"
down_revision = "shop"


def upgrade() -> None:
    op.drop_constraint("ticket_title_key", "ticket", type_="unique")
