"""What autogenerate compares for those who call `run_env`."""

from __future__ import annotations

from typing import Final

# Named CHECK constraints are compared by Alembic only for who asks for it.
PLUGINS: Final = ("alembic.autogenerate.*", "alembic.ext.checkconstraint_byname")
