"""The files of a service's migrations, written for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dal.cli.usage import Usage

_INI: Final = """\
# DAL_DATABASE_URL names the database, or sqlalchemy.url here.
[alembic]
script_location = %(here)s/alembic
prepend_sys_path = %(here)s
file_template = %%(year)d_%%(month).2d_%%(day).2d_%%(rev)s_%%(slug)s
path_separator = os

[dal]
# A statement waits so many seconds for a lock, longer than deadlock_timeout, after which an autovacuum makes way; then
# its revision is rolled back, and tried again for so long.
lock_timeout_s = 1.5
give_up_after_s = 600
# Another process that migrates is waited for so long.
wait_s = 600
"""
_ENV: Final = '''\
"""Alembic's entry: the same from the `alembic` command, from `dal db` and in-process."""

from dal.migrations import run_env
from {module} import {name}

run_env({metadata})
'''
_TEMPLATE: Final = '''\
"""${message.translate({34: "'", 92: "/"})}

Revision: ${up_revision}, after ${down_revision | comma,n}; made on ${create_date}
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''


def write_environment(metadata: str, folder: Path) -> Sequence[Path]:
    """Write them for *metadata*, `module:name`; raises `Usage` if a file is there, or the name is none."""
    module, _, name = metadata.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise Usage(f"{metadata!r} names no models: give the module and the name in it, such as app.models:Base.")
    spelt = f"{name}.metadata" if name[0].isupper() else name
    files = {
        folder / "alembic.ini": _INI,
        folder / "alembic" / "env.py": _ENV.format(module=module, name=name, metadata=spelt),
        folder / "alembic" / "script.py.mako": _TEMPLATE,
        folder / "alembic" / "versions" / ".gitkeep": "",
    }
    for path in files:
        if path.exists():
            raise Usage(f"{path} is there already, and nothing was written: take it away, or give another --folder.")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)
