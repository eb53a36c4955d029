"""The steps of one upgrade or downgrade, planned once, however often it is tried.

Alembic plans from where the database is. A target such as `-2` would be two more each time that a revision comes back
for its lock, behind those that are committed already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from alembic.runtime.migration import MigrationContext, MigrationStep

Planning: TypeAlias = Callable[[Any, MigrationContext], Iterable[MigrationStep]]


class Plan:
    """What was planned at first, and the heads after each step that has run."""

    def __init__(self) -> None:
        self._steps: list[MigrationStep] = []
        self._heads: list[frozenset[str]] = []

    def revised(self, *, heads: Iterable[str], **_: Any) -> None:
        """Note where a step has led; one of Alembic's `on_version_apply`, just before the COMMIT."""
        self._heads.append(frozenset(heads))

    def left_of(self, planning: Planning) -> Planning:
        """Give what plans as *planning* does when it is asked first, and then only what is left of that."""

        def left(heads: Any, context: MigrationContext) -> Iterable[MigrationStep]:
            at = frozenset(heads)
            if at not in self._heads:
                self._steps, self._heads = list(planning(heads, context)), [at]
            # The last COMMIT may have failed.
            while self._heads[-1] != at:
                self._heads.pop()
            return self._steps[len(self._heads) - 1 :]

        return left
