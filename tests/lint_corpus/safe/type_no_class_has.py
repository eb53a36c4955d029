"""A type that no class has any more."""

from __future__ import annotations

from alembic import op

revision = "type_no_class_has"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DROP TYPE old_status")
