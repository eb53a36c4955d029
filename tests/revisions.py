"""A folder of revisions, written by a test."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent


class Revisions:
    """alembic.ini, env.py and revisions in *folder*, each after the one before."""

    def __init__(self, folder: Path, *, env: str = "run_env(None)", more: str = "") -> None:
        self.folder = folder
        self.ini = folder / "alembic.ini"
        self._last: str | None = None
        (folder / "versions").mkdir()
        self.ini.write_text(f"[alembic]\nscript_location = %(here)s\npath_separator = os\n{more}", encoding="utf-8")
        (folder / "env.py").write_text(f"from dal.migrations import run_env\n{env}\n", encoding="utf-8")

    def add(self, revision: str, upgrade: str, downgrade: str = "pass") -> Path:
        """Write one; its operations are Python, with `op` and `sa`."""
        path = self.folder / "versions" / f"{revision}.py"
        body = lambda text: indent(dedent(text).strip(), "    ")  # noqa: E731 # twice below
        path.write_text(
            f'"""Revision {revision}."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
            f"revision, down_revision = {revision!r}, {self._last!r}\n\n\n"
            f"def upgrade():\n{body(upgrade)}\n\n\ndef downgrade():\n{body(downgrade)}\n",
            encoding="utf-8",
        )
        self._last = revision
        return path
