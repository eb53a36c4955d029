"""Operations for Alembic's revisions that keep a database in service; see docs/migrations_operations.md.

Importing this registers them: a revision needs only `from alembic import op`.
"""

from dal.migrations.operations import create_index
from dal.migrations.operations.autogenerate import PLUGINS

__all__ = ["PLUGINS", "create_index"]
