"""A project with revisions that a test writes."""

from __future__ import annotations

import textwrap
from pathlib import Path

from dal.migrations.lint import Finding, lint

_ENV = """
from dal.migrations import run_env
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

metadata = MetaData()
Table("parent", metadata, Column("id", Integer, primary_key=True))
Table("child", metadata, Column("parent_id", ForeignKey("parent.id"), index=True))
run_env(metadata)
"""
_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {name!r}
down_revision = {down!r}
depends_on = {depends_on!r}


def upgrade():
{body}
"""
# The line of a revision's first operation.
FIRST = 11


class Project:
    """Writes revisions, and judges them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ini = folder / "alembic.ini"
        self.say("")
        (folder / "env.py").write_text(_ENV)
        (folder / "versions").mkdir()

    def say(self, section: str) -> None:
        """Write the section `[dal]`."""
        self.ini.write_text(f"[alembic]\nscript_location = %(here)s\n[dal]\n{section}\n")

    def revision(
        self,
        name: str,
        body: str = "pass",
        down: str | tuple[str, ...] | None = None,
        depends_on: str | None = None,
    ) -> Path:
        """Write a revision; *body* begins at line `FIRST`."""
        file = self.folder / "versions" / f"{name}.py"
        indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        file.write_text(_REVISION.format(name=name, down=down, depends_on=depends_on, body=indented))
        return file

    def found(self, since: str | None = None) -> list[tuple[str, int, str]]:
        """Judge; give revisions, lines and rules."""
        return [(each.revision, each.line, each.rule) for each in self.findings(since)]

    def findings(self, since: str | None = None) -> list[Finding]:
        """Judge."""
        return lint(self.ini, since=since)
