"""Operations for Alembic's revisions that keep a database in service; see docs/migrations_operations.md.

Importing this registers them: a revision needs only `from alembic import op`.
"""

from dal.migrations.operations import check, create_index, enum_add, enum_rename, foreign_key, not_null, validate
from dal.migrations.operations.autogenerate import PLUGINS

__all__ = [
    "PLUGINS",
    "check",
    "create_index",
    "enum_add",
    "enum_rename",
    "foreign_key",
    "not_null",
    "validate",
]
