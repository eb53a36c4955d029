"""A type that is made with its values can be used at once."""

from __future__ import annotations

from alembic import op

revision = "enum_new"
down_revision = "shop"


def upgrade() -> None:
    op.execute("CREATE TYPE size AS ENUM ('s')")
    op.execute("ALTER TYPE size ADD VALUE 'm'")
    op.execute("CREATE TABLE shirt (size size DEFAULT 'm')")
