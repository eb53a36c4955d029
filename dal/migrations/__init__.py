"""Alembic, in-process and from its own command, one migrator at a time, and never in the way of others."""

from dal.migrations.environment import EnvOptions, run_env
from dal.migrations.options import MigrationOptions
from dal.migrations.runner import (
    RevisionInfo,
    check_at_head,
    current,
    downgrade,
    history,
    new_revision,
    offline_sql,
    stamp,
    upgrade,
)
from dal.migrations.schemas import for_each_schema

__all__ = [
    "EnvOptions",
    "MigrationOptions",
    "RevisionInfo",
    "check_at_head",
    "current",
    "downgrade",
    "for_each_schema",
    "history",
    "new_revision",
    "offline_sql",
    "run_env",
    "stamp",
    "upgrade",
]
