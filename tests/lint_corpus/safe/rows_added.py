"""Rows of a small table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "rows_added"
down_revision = "shop"


def upgrade() -> None:
    country = sa.table("country", sa.column("code", sa.Text), sa.column("name", sa.Text))
    op.bulk_insert(country, [{"code": "fo", "name": "it's; DROP TABLE customer"}, {"code": "is", "name": "x"}])
