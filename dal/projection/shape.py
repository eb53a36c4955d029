"""The shape of a type that rows are read into: its fields, what each asks for, and how its objects are made.

Pure, and knows no mapping. Refuses: a type of which nothing certain can be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, get_origin

from dal.errors import ProjectionError
from dal.projection.building import Columns, Maker, maker_of
from dal.projection.field import Field, called, field_of, generic, unresolved
from dal.projection.kinds import Kind, hints_of, is_entity, kind_of, required_of

__all__ = ["Columns", "Field", "Maker", "Shape", "is_shape", "refuse_circle", "shape_of"]

# Types are few, but for those that are made at run time, which would be kept for ever.
KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Shape:
    """A type and its fields, in the order in which it has them."""

    type: Any
    fields: tuple[Field, ...]

    def maker(self, names: Sequence[str]) -> Maker:
        """Give what makes objects of one column per name; fields that are not named keep their defaults.

        Takes some 50 us: keep it. Raises `ProjectionError` without names, and later if a pydantic type refuses a row;
        what else a constructor or a `__post_init__` raises goes through as it is.
        """
        return maker_of(self.type, names)


def is_shape(type_: Any) -> bool:
    """Tell whether this is one of the five kinds; whether it can be read into is for `shape_of`."""
    return kind_of(type_) is not None


def shape_of(type_: Any) -> Shape:
    """Read a type, once; `ProjectionError` if it cannot be read into. Types inside are read when they are asked for."""
    if not is_shape(type_):
        raise _no_kind(type_)
    return _shape_of(type_)


def refuse_circle(type_: Any) -> None:
    """Refuse a type whose objects would hold objects of the same type; a circle further in is for the types on it."""
    path = _way_back(type_, type_, set())
    if path:
        raise ProjectionError(
            f"{' -> '.join([*path, type_.__qualname__])} is a circle, and would be read without end: give the inner "
            "objects a type without this field, or annotate it with From(Entity.attribute) if it is one column's value."
        )


@lru_cache(maxsize=KEPT)
def _shape_of(type_: Any) -> Shape:
    shape = Shape(type_, _fields_of(type_))
    refuse_circle(type_)
    return shape


@lru_cache(maxsize=KEPT)
def _fields_of(type_: Any) -> tuple[Field, ...]:
    kind = kind_of(type_)
    assert kind is not None  # noqa: S101 # is_shape was asked before
    owner = type_.__qualname__
    hints = _resolved(type_, kind)
    if not hints:
        raise ProjectionError(f"{owner} has no fields: annotate what is to be read.")
    required = required_of(type_, kind)
    if others := required - set(hints):
        raise ProjectionError(
            f"{owner}() asks for {', '.join(sorted(others))}, which is no field: a read has no value for it, give it a "
            "default."
        )
    return tuple(field_of(owner, name, hint, is_required=name in required) for name, hint in hints.items())


def _resolved(type_: Any, kind: Kind) -> dict[str, Any]:
    try:
        return hints_of(type_, kind)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        told = str(error).partition("\n")[0]
        raise unresolved(_whose(type_, getattr(error, "name", None) or told), told) from error


def _whose(type_: Any, missing: str) -> str:
    """Name the field too whose annotation shows what is missing."""
    for each in type_.__mro__:
        for name, hint in vars(each).get("__annotations__", {}).items():
            if re.search(rf"\b{re.escape(missing)}\b", hint if isinstance(hint, str) else repr(hint)):
                return f"{type_.__qualname__}.{name}"
    return str(type_.__qualname__)


def _no_kind(type_: Any) -> ProjectionError:
    if is_entity(type_):
        return ProjectionError(f"{type_.__qualname__} is an entity: leave into= out.")
    if is_shape(get_origin(type_)):
        return generic("", type_)
    kinds = ", ".join(kind.value for kind in Kind)
    return ProjectionError(f"{called(type_)} is none of what rows can be read into: give {kinds}.")


def _way_back(goal: Any, type_: Any, seen: set[Any]) -> list[str] | None:
    """Find the fields that lead from a type to *goal*."""
    for field in _fields_as_far_as_known(type_):
        inner = field.item if field.collection else field.hint
        if field.source is not None or not is_shape(inner) or inner in seen:
            continue
        seen.add(inner)
        further = [] if inner is goal else _way_back(goal, inner, seen)
        if further is not None:
            return [f"{type_.__qualname__}.{field.name}", *further]
    return None


def _fields_as_far_as_known(type_: Any) -> tuple[Field, ...]:
    """Give none for a type that cannot be read: it may be a column's value, and else is refused when asked for."""
    try:
        return _fields_of(type_)
    except ProjectionError:
        return ()
