"""A unique constraint that builds its index under the strongest lock.

finds disallowed-unique-constraint in line 15
"""

from __future__ import annotations

from alembic import op

revision = "unique"
down_revision = "shop"


def upgrade() -> None:
    op.create_unique_constraint("uq_customer_email", "customer", ["email"])
