"""A revision that sends nothing."""

from __future__ import annotations

revision = "nothing"
down_revision = "shop"


def upgrade() -> None:
    pass
