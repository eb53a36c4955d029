"""It reads every table that has it.

finds ban-alter-domain-with-add-constraint in line 15
"""

from __future__ import annotations

from alembic import op

revision = "domain_checked"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER DOMAIN amount ADD CONSTRAINT ck_amount CHECK (VALUE > 0)")
