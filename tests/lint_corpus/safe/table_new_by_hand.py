"""The same in SQL."""

from __future__ import annotations

from alembic import op

revision = "table_new_by_hand"
down_revision = "shop"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE parcel_scan (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            order_id bigint NOT NULL REFERENCES "order" (id),
            place text NOT NULL DEFAULT 'a; b' -- DROP TABLE customer;
        )
        """
    )
    op.execute("CREATE INDEX ix_parcel_scan ON parcel_scan (order_id) -- for each order")
