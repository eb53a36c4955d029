"""A loading plan: what comes with an entity, as a value to name, to use again, and to put together with others.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sqlalchemy.orm import Mapper, QueryableAttribute, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from dal.lazy_loading import relationship_of

# For an error: what so many of each are together.
_EXAMPLE: Final = 10


class Plan(tuple[ORMOption, ...]):  # noqa: SLOT001 # a tuple's subclass can have none but empty ones
    """Loader options for the relationships named, of one class and of those that they lead to.

        DETAILS = Plan(Order.customer, Order.lines, OrderLine.part)
        await shop.orders.list(options=DETAILS)

    What leads to one entity is joined, a collection is a statement more for all of them (`selectinload`), unless it is
    one of *joined*. An attribute is loaded wherever those before it lead to its class: of a relationship to the class
    itself, each time that it is named is a level. `plan | other` is both. It is a tuple of SQLAlchemy's options, for
    `options=` and `dal.load`. Raises `TypeError` for an attribute that nothing before leads to, and where two
    collections of one entity would be joined: every pair would be a row.
    """

    attributes: tuple[QueryableAttribute[Any], ...]
    joined: tuple[QueryableAttribute[Any], ...]

    def __new__(cls, *attributes: QueryableAttribute[Any], joined: Iterable[QueryableAttribute[Any]] = ()) -> Self:
        """Make the plan, which sends nothing."""
        chosen = tuple(joined)
        root = _tree(attributes, chosen)
        for node in root.all():
            _refuse_product(node)
        plan = super().__new__(cls, root.options())
        plan.attributes, plan.joined = attributes, chosen
        return plan

    def __or__(self, other: Plan) -> Plan:
        return Plan(*self.attributes, *other.attributes, joined=(*self.joined, *other.joined))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self._names() == other._names()

    def __hash__(self) -> int:
        return hash(self._names())

    def __repr__(self) -> str:
        named = ", ".join(map(str, self.attributes))
        return f"Plan({named}, joined=[{', '.join(map(str, self.joined))}])" if self.joined else f"Plan({named})"

    def _names(self) -> tuple[Any, ...]:
        return (self.attributes, self.joined)


@dataclass(slots=True)
class _Node:
    """A class that the plan reaches, and what is loaded of it."""

    mapper: Mapper[Any]
    attribute: QueryableAttribute[Any] | None = None
    is_joined: bool = False
    below: list[_Node] = field(default_factory=list)

    def all(self) -> list[_Node]:
        """Give this one and all below."""
        return [self, *(each for node in self.below for each in node.all())]

    def has(self, attribute: QueryableAttribute[Any]) -> bool:
        """Tell whether it is loaded here."""
        return any(node.attribute is attribute for node in self.below)

    def options(self) -> list[ORMOption]:
        """Give the options for all that is below."""
        return [
            (joinedload if node.is_joined else selectinload)(node.attribute).options(*node.options())  # type: ignore[arg-type]
            for node in self.below
        ]


def _tree(attributes: Sequence[QueryableAttribute[Any]], joined: Sequence[QueryableAttribute[Any]]) -> _Node:
    if not attributes:
        raise TypeError("a plan is of relationships: Plan(Order.customer, Order.lines).")
    root = _Node(relationship_of(attributes[0]).parent)
    for attribute in attributes:
        prop = relationship_of(attribute)
        # As they are now: what is added here is for the next to go on from.
        places = [node for node in root.all() if node.mapper.isa(prop.parent)]
        if not places:
            raise TypeError(
                f"{attribute} is of {prop.parent.class_.__name__}, and the plan has come to {_reached(root)} so far: "
                "name the relationship that leads there before it."
            )
        is_joined = not prop.uselist or any(attribute is each for each in joined)
        for node in places:
            if not node.has(attribute):
                node.below.append(_Node(attribute.comparator.mapper, attribute, is_joined))  # type: ignore[attr-defined]
    return root


def _reached(root: _Node) -> str:
    return ", ".join(sorted({node.mapper.class_.__name__ for node in root.all()}))


def _refuse_product(node: _Node) -> None:
    """Refuse two collections in one statement: through what is joined, they are of one row."""
    found = _collections(node)
    if len(found) > 1:
        names = " and ".join(str(each.attribute) for each in found)
        rows = _EXAMPLE ** len(found)
        raise TypeError(
            f"{names} are joined in one statement: every combination is a row, so {_EXAMPLE} of each are {rows:,} rows "
            f"for each {node.mapper.class_.__name__}, in the place of {_EXAMPLE * len(found)}. Join one at most."
        )


def _collections(node: _Node) -> list[_Node]:
    """Give the joined collections that meet in a row of *node*; of those below one of them, that one counts."""
    found: list[_Node] = []
    for each in node.below:
        if each.is_joined:
            own = each.attribute is not None and relationship_of(each.attribute).uselist
            found += [each] if own else _collections(each)
    return found
