"""The same, said in a batch.

finds disallowed-unique-constraint in line 15
"""

from __future__ import annotations

from alembic import op

revision = "unique_in_batch"
down_revision = "shop"


def upgrade() -> None:
    with op.batch_alter_table("customer") as batch:
        batch.create_unique_constraint("uq_customer_phone", ["phone"])
