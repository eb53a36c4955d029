"""An exclusion constraint that reads every row.

finds constraint-missing-not-valid in line 15
"""

from __future__ import annotations

from alembic import op

revision = "exclusion"
down_revision = "shop"


def upgrade() -> None:
    op.create_exclude_constraint("ex_log", "log", ("during", "&&"), using="gist")
