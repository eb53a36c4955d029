"""What a revision drops, asked of the models: squawk says that a client may still use it, and they know.

What no model has is dropped in silence. What the models still have is found, unless a later revision makes it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dal.migrations.lint.facts import Did, Fact, dropped_name, facts
from dal.migrations.lint.finding import Finding, Statement
from dal.migrations.lint.models import Models
from dal.migrations.lint.squawk import Violation

_RULES: Final = {
    "ban-drop-column": Did.DROPPED_COLUMN,
    "ban-drop-constraint": Did.DROPPED_CONSTRAINT,
    "ban-drop-table": Did.DROPPED_TABLE,
    "ban-drop-type": Did.DROPPED_TYPE,
}
_MADE: Final = frozenset({Did.MADE_COLUMN, Did.MADE_CONSTRAINT, Did.MADE_TABLE, Did.MADE_TYPE})


class Dropped:
    """Asks *models* about squawk's findings; without models, squawk has the last word."""

    def __init__(self, statements: Sequence[Statement], models: Models | None) -> None:
        self._models = models
        self._revisions = {revision: at for at, revision in enumerate(_revisions(statements))}
        self._made_last = {
            (fact.table, fact.names): self._revisions[each.place.revision]
            for each in statements
            for fact in facts(each.sql)
            if fact.did in _MADE
        }

    def asked(self, violation: Violation, finding: Finding) -> Finding | None:
        """Give *finding* with what the models say of it, or None where they do not have what is dropped."""
        did = _RULES.get(violation.rule)
        if did is None or self._models is None:
            return finding
        dropped = _dropped(violation, did)
        if not dropped:
            return finding  # squawk has read what we have not
        kept = [fact for fact in dropped if self._models.have(fact) and not self._is_remade(violation, fact)]
        if not kept:
            return None
        return replace(finding, message=f"{finding.message} The models still have {', '.join(map(_name, kept))}.")

    def _is_remade(self, violation: Violation, fact: Fact) -> bool:
        made = self._made_last.get((fact.table, fact.names), -1)
        return made > self._revisions[violation.statement.place.revision]


def _dropped(violation: Violation, did: Did) -> list[Fact]:
    """Give what this violation is about: a statement may drop more than that."""
    if did in (Did.DROPPED_TABLE, Did.DROPPED_TYPE):
        return facts(violation.part)
    name = (dropped_name(violation.part),)
    return [fact for fact in facts(violation.statement.sql) if fact.did is did and fact.names == name]


def _revisions(statements: Sequence[Statement]) -> dict[str, None]:
    return dict.fromkeys(each.place.revision for each in statements)


def _name(fact: Fact) -> str:
    return ".".join([fact.table, *fact.names])
