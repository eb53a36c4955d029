"""Alembic, in-process and from its own command."""

from dal.migrations.environment import run_env
from dal.migrations.runner import check_at_head, upgrade

__all__ = ["check_at_head", "run_env", "upgrade"]
