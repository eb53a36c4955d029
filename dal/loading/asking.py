"""What a lazy load asks, of whoever decides what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy.orm import InstanceState, RelationshipProperty, Session


class Answer(Protocol):
    """Says what a lazy load does, and gives its value; None if the attribute is set."""

    def __call__(
        self,
        session: Session,
        state: InstanceState[Any],
        prop: RelationshipProperty[Any],
        *,
        alone: Callable[[], Any],
        together: Callable[[Sequence[InstanceState[Any]]], None],
    ) -> Any:
        """Load *prop* of *state* by *alone*, or by *together* with others, or raise."""
        ...
