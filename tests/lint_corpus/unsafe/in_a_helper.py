"""The line is the operation's, wherever it is called.

finds require-concurrent-index-creation in line 19
"""

from __future__ import annotations

from alembic import op

revision = "in_a_helper"
down_revision = "shop"


def upgrade() -> None:
    _index("ix_line_price", "price")


def _index(name: str, column: str) -> None:
    op.create_index(name, "line", [column])
