"""A book is lent to one borrower at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("uq_loan_open", "loan", ["book_id"], unique=True, postgresql_where=sa.text("returned_at IS NULL"))


def downgrade() -> None:
    op.drop_index("uq_loan_open", "loan")
