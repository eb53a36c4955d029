"""Which table says where a database is: what env.py tells Alembic of it.

Refuses: connecting; env.py is run as for a script.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from dal.migrations.options import config_of


def version_table(ini: Path) -> tuple[str, str | None]:
    """Give its name, and its schema if env.py says one."""
    config = config_of({"ini": ini})
    config.output_buffer = StringIO()
    script = ScriptDirectory.from_config(config)
    config.config_file_name = None  # it is read; an env.py that finds its name sets up logging for the whole process
    seen: list[tuple[str, str | None]] = []

    def look(_: Any, context: MigrationContext) -> Iterable[Any]:
        seen.append((context.version_table, context.version_table_schema))
        return []

    with EnvironmentContext(config, script, fn=look, as_sql=True, starting_rev=None, destination_rev="heads"):
        script.run_env()
    return seen[0] if seen else ("alembic_version", None)
