"""The shop: TPC-H's eight tables with readable names.

Revision: 0001, the first
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MONEY = sa.Numeric(15, 2)


def key(name: str = "id") -> sa.Column[int]:
    """Make a primary key that the server numbers unless the row brings its own."""
    return sa.Column(name, sa.BigInteger, sa.Identity(), nullable=False)


def reference(name: str) -> sa.Column[int]:
    """Make a column for a foreign key."""
    return sa.Column(name, sa.BigInteger, nullable=False)


def text(name: str) -> sa.Column[str]:
    """Make a text column."""
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.create_table("region", key(), text("name"), text("comment"), sa.PrimaryKeyConstraint("id", name="pk_region"))
    op.create_table(
        "nation",
        key(),
        text("name"),
        reference("region_id"),
        text("comment"),
        sa.PrimaryKeyConstraint("id", name="pk_nation"),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name="fk_nation_region_id_region"),
    )
    op.create_index("ix_nation_region_id", "nation", ["region_id"])
    op.create_table(
        "supplier",
        key(),
        text("name"),
        text("address"),
        reference("nation_id"),
        text("phone"),
        sa.Column("balance", MONEY, nullable=False),
        text("comment"),
        sa.PrimaryKeyConstraint("id", name="pk_supplier"),
        sa.ForeignKeyConstraint(["nation_id"], ["nation.id"], name="fk_supplier_nation_id_nation"),
    )
    op.create_index("ix_supplier_nation_id", "supplier", ["nation_id"])
    op.create_table(
        "part",
        key(),
        text("name"),
        text("manufacturer"),
        text("brand"),
        text("type"),
        sa.Column("size", sa.Integer, nullable=False),
        text("container"),
        sa.Column("retail_price", MONEY, nullable=False),
        text("comment"),
        sa.PrimaryKeyConstraint("id", name="pk_part"),
    )
    op.create_table(
        "part_supply",
        reference("part_id"),
        reference("supplier_id"),
        sa.Column("available", sa.Integer, nullable=False),
        sa.Column("supply_cost", MONEY, nullable=False),
        text("comment"),
        sa.PrimaryKeyConstraint("part_id", "supplier_id", name="pk_part_supply"),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name="fk_part_supply_part_id_part"),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name="fk_part_supply_supplier_id_supplier"),
    )
    op.create_index("ix_part_supply_supplier_id", "part_supply", ["supplier_id"])
    op.create_table(
        "customer",
        key(),
        text("name"),
        text("address"),
        reference("nation_id"),
        text("phone"),
        sa.Column("balance", MONEY, nullable=False),
        text("segment"),
        text("comment"),
        sa.PrimaryKeyConstraint("id", name="pk_customer"),
        sa.ForeignKeyConstraint(["nation_id"], ["nation.id"], name="fk_customer_nation_id_nation"),
    )
    op.create_index("ix_customer_nation_id", "customer", ["nation_id"])
    op.create_table(
        "orders",
        key(),
        reference("customer_id"),
        text("status"),
        sa.Column("total_price", MONEY, nullable=False),
        sa.Column("placed_on", sa.Date, nullable=False),
        text("priority"),
        text("clerk"),
        sa.Column("ship_priority", sa.Integer, nullable=False),
        text("comment"),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name="fk_orders_customer_id_customer"),
    )
    op.create_index("ix_orders_customer_id", "orders", ["customer_id"])
    op.create_table(
        "order_line",
        reference("order_id"),
        sa.Column("line_number", sa.Integer, nullable=False),
        reference("part_id"),
        reference("supplier_id"),
        sa.Column("quantity", MONEY, nullable=False),
        sa.Column("extended_price", MONEY, nullable=False),
        sa.Column("discount", MONEY, nullable=False),
        sa.Column("tax", MONEY, nullable=False),
        text("return_flag"),
        text("status"),
        sa.Column("shipped_on", sa.Date, nullable=False),
        sa.Column("committed_on", sa.Date, nullable=False),
        sa.Column("received_on", sa.Date, nullable=False),
        text("ship_instructions"),
        text("ship_mode"),
        text("comment"),
        sa.PrimaryKeyConstraint("order_id", "line_number", name="pk_order_line"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_line_order_id_orders", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["part_id", "supplier_id"],
            ["part_supply.part_id", "part_supply.supplier_id"],
            name="fk_order_line_part_id_supplier_id_part_supply",
        ),
    )
    op.create_index("ix_order_line_part_id_supplier_id", "order_line", ["part_id", "supplier_id"])


def downgrade() -> None:
    for table in ("order_line", "orders", "customer", "part_supply", "part", "supplier", "nation", "region"):
        op.drop_table(table)
