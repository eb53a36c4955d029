"""What an entity has by the name of a field.

Pure; every error names the type, the field, what there is, and the nearest name.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn, TypeAlias

from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import ColumnProperty, CompositeProperty, Mapper, QueryableAttribute, RelationshipProperty

from dal.errors import ProjectionError
from dal.projection.shape import Field, Shape

Member: TypeAlias = "ColumnProperty[Any] | CompositeProperty[Any] | RelationshipProperty[Any] | hybrid_property[Any]"

_KINDS = (ColumnProperty, CompositeProperty, RelationshipProperty)


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a type: where something may be wrong."""

    shape: Shape
    field: Field

    def refuse(self, why: str) -> NoReturn:
        """Raise `ProjectionError`."""
        name = getattr(self.shape.type, "__qualname__", repr(self.shape.type))
        raise ProjectionError(f"{name}.{self.field.name}: {why}")


def member(place: Place, mapper: Mapper[Any], name: str) -> Member | None:
    """Find what *mapper* has as *name*; None if it has nothing, and the field has a default to fall back on."""
    while name in mapper.synonyms:
        name = mapper.synonyms[name].name
    found: Any = mapper.attrs.get(name) or mapper.all_orm_descriptors.get(name)
    if found is None:
        if not place.field.is_required and place.field.source is None:
            return None
        place.refuse(_unknown(mapper, name))
    if not isinstance(found, (*_KINDS, hybrid_property)):
        kind = type(found).__name__
        place.refuse(f"{_named(mapper, name)} is a {kind}, which no SELECT reads. Annotate the field with From(...).")
    return found


def attribute(place: Place, mapper: Mapper[Any], step: Any) -> str:
    """Give the name of *step*, an attribute in a `From`, which must be one of *mapper*'s."""
    if not isinstance(step, QueryableAttribute) or not isinstance(step.parent, Mapper):
        place.refuse(f"From(...) takes mapped attributes such as {mapper.class_.__name__}.{_names(mapper)[0]}.")
    if not mapper.isa(step.parent):
        place.refuse(
            f"From(...) has {step.parent.class_.__name__}.{step.key} where an attribute of {mapper.class_.__name__} "
            "is due: it starts at the entity that is read, and each step at the one that the step before leads to."
        )
    return step.key


def _unknown(mapper: Mapper[Any], name: str) -> str:
    names = _names(mapper)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    return (
        f"{mapper.class_.__name__} has no attribute {name}. {hint}It has {', '.join(names)}. Rename the field, or "
        "annotate it with From(...) or Expr(...), or give it a default."
    )


def _names(mapper: Mapper[Any]) -> list[str]:
    return sorted(name for name in mapper.all_orm_descriptors.keys() if not name.startswith("_"))  # noqa: SIM118


def _named(mapper: Mapper[Any], name: str) -> str:
    return f"{mapper.class_.__name__}.{name}"
