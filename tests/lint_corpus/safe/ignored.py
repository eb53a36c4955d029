"""An operation that somebody has thought about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ignored"
down_revision = "shop"


def upgrade() -> None:
    op.create_index("ix_country_name", "country", ["name"])  # dal: ignore[require-concurrent-index-creation] 200 rows
    # The table is written to once a year.
    # dal: ignore[disallowed-unique-constraint] 200 rows
    op.create_unique_constraint(
        "uq_country_name",
        "country",
        ["name"],
    )
    with op.batch_alter_table("country") as batch:
        batch.add_column(sa.Column("area", sa.Text))
        batch.alter_column("name", nullable=True)  # dal: ignore[ban-drop-not-null] nobody reads it
