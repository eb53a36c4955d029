"""What stands in `Annotated[...]` beside a field's type: where its value comes from, or how its rows are read.

Pure. Refuses: what is wrong whatever the mapping says. They compare by identity, for SQL expressions do not compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dal.errors import ProjectionError


@dataclass(frozen=True, slots=True, eq=False, init=False)
class From:
    """Take a column that is reached along many-to-one relationships: ``From(Order.customer, Customer.name)``."""

    path: tuple[Any, ...]

    def __init__(self, *path: Any) -> None:
        if not path:
            raise ProjectionError("From() names no attribute: give it one at least, as From(Order.total).")
        object.__setattr__(self, "path", path)


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """Take the value of an SQL expression: ``Expr(func.count())``."""

    expression: Any


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Load:
    """Read a collection in this order, by these conditions, and of each parent at most *limit* rows."""

    order_by: tuple[Any, ...]
    where: tuple[Any, ...]
    limit: int | None

    def __init__(self, *, order_by: Any = (), where: Any = (), limit: int | None = None) -> None:
        given: Any = limit  # whatever the annotations say
        if given is not None and (type(given) is not int or given < 1):
            raise ProjectionError(
                f"Load(limit={limit!r}) is no number of rows: give 1 or more, or leave it out to read all."
            )
        object.__setattr__(self, "order_by", _several(order_by))
        object.__setattr__(self, "where", _several(where))
        object.__setattr__(self, "limit", limit)


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
