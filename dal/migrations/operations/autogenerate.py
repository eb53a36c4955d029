"""What autogenerate compares for those who call `run_env`.

Not alembic-postgresql-enum: it finds enum types that have changed, too, but writes their tables anew for each change,
under a lock that keeps everybody out.
"""

from __future__ import annotations

from typing import Final

from dal.migrations.operations import enum_compare

enum_compare.register()

# Named CHECK constraints are compared by Alembic only for who asks for it.
PLUGINS: Final = ("alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", enum_compare.PLUGIN)
