"""What a team switches on and off: the section `[dal]` of alembic.ini."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from alembic.config import Config

from dal.migrations.lint import rules
from dal.migrations.options import SECTION

# The oldest that dal works with: what is safe there is safe on the newer ones.
_PG_VERSION: Final = "14"


@dataclass(frozen=True, slots=True)
class Options:
    """Which rules judge, and for which server."""

    exclude: frozenset[str]
    """Rules that are off, ours and squawk's."""
    include: frozenset[str]
    """Rules that squawk leaves to be asked for, and are on."""
    since: str | None
    pg_version: str


def options(config: Config, since: str | None, pg_version: str | None) -> Options:
    """Take what is given, else what alembic.ini says, else dal's own choice."""
    said = config.get_section(SECTION, {})
    include, exclude = _names(said.get("lint_include", "")), _names(said.get("lint_exclude", ""))
    return Options(
        exclude=frozenset(rules.OFF.keys() - include) | exclude,
        include=frozenset(rules.ON) | (include - rules.OFF.keys() - rules.OURS) - exclude,
        since=since or said.get("lint_since") or None,
        pg_version=pg_version or said.get("lint_pg_version") or _PG_VERSION,
    )


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.replace(",", " ").split())
