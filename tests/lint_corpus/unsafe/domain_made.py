"""A check that cannot be changed without reading every table.

finds ban-create-domain-with-constraint in line 15
"""

from __future__ import annotations

from alembic import op

revision = "domain_made"
down_revision = "shop"


def upgrade() -> None:
    op.execute("CREATE DOMAIN positive AS integer CHECK (VALUE > 0)")
