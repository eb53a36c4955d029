"""What a lazy load asks, of whoever decides what it does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import InstanceState, RelationshipProperty, Session


@dataclass(frozen=True, slots=True)
class Answers:
    """Who is asked for a relationship, and who for columns."""

    relationship: Answer
    columns: AnswerColumns


class AnswerColumns(Protocol):
    """Says what it does that an entity lacks columns."""

    def __call__(
        self, session: Session, state: InstanceState[Any], names: Collection[str], alone: Callable[[], Any]
    ) -> Any:
        """Read *names* of *state*, or have *alone* do it for one, or raise."""
        ...


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
