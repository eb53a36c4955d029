"""Operations for Alembic's revisions that keep a database in service; see docs/migrations_operations.md.

Importing this registers them: a revision needs only `from alembic import op`.
"""

from dal.migrations.operations import (
    backfill,
    check,
    create_index,
    enum_add,
    enum_rename,
    foreign_key,
    not_null,
    validate,
)
from dal.migrations.operations.autogenerate import PLUGINS
from dal.migrations.operations.backfill_progress import BackfillProgress

__all__ = [
    "PLUGINS",
    "BackfillProgress",
    "backfill",
    "check",
    "create_index",
    "enum_add",
    "enum_rename",
    "foreign_key",
    "not_null",
    "validate",
]
