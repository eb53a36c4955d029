"""How many rows there are beside the page: exactly, up to a cap, or as the planner estimates.

Builds the statements, and reads what they give; does not run them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ClauseElement, Executable, Select, func, literal_column, select
from sqlalchemy.ext.compiler import compiles

from dal.errors import KeysetError
from dal.keyset.page import Count

CountAs = Literal["exact", "estimated"] | int

_WAYS: Final = ("exact", "estimated")


class _Explain(Executable, ClauseElement):
    """The plan of a statement, as JSON. Nothing is executed."""

    inherit_cache = False  # of a cached one SQLAlchemy asks for its columns

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"


@dataclass(frozen=True, slots=True)
class Counting:
    """`of` makes the statement that counts, which gives one value; `count` reads it."""

    how: CountAs

    @classmethod
    def by(cls, how: CountAs) -> Counting:
        """Check how is to be counted; raises `KeysetError`."""
        if (isinstance(how, int) and not isinstance(how, bool) and how > 0) or how in _WAYS:
            return cls(how)
        raise KeysetError(f'count={how!r}: it is "exact", "estimated", or the number from which on nobody counts.')

    def of(self, statement: Select[Any]) -> Executable:
        """Count the rows of *statement*, which has no order and no limit."""
        if self.how == "exact":
            return statement.with_only_columns(func.count(), maintain_column_froms=True)
        rows: Select[Any] = statement.with_only_columns(literal_column("1").label("one"), maintain_column_froms=True)
        if isinstance(self.how, int):
            return select(func.count()).select_from(rows.limit(self.how + 1).subquery())
        return _Explain(rows)

    def count(self, found: Any) -> Count:
        """Say what the statement has *found*."""
        if self.how == "estimated":
            [plan] = json.loads(found) if isinstance(found, str) else found
            return Count(int(plan["Plan"]["Plan Rows"]), "about")
        if isinstance(self.how, int) and found > self.how:
            return Count(self.how, "at least")
        return Count(found)
