"""Whether what a field is annotated with can hold what its attribute has.

Pure; found out when a type is planned, and not at the thousandth row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Column, TypeDecorator
from sqlalchemy.orm import ColumnProperty, RelationshipProperty

from dal.projection.names import Member, Place
from dal.projection.shape import is_shape

# Where the annotation and the column's own type are both among these, one must be the other.
_PLAIN: Final[tuple[Any, ...]] = (bool, int, float, Decimal, str, bytes, datetime, date, time, timedelta, UUID)


def refuse_null(place: Place, found: Member, *, absent: bool) -> None:
    """Refuse a field that takes no None for an attribute that may be NULL; *absent*, if its whole entity may be."""
    if place.field.is_optional:
        return
    if absent:
        place.refuse("an entity on the way to it may be missing. Annotate the field with `| None`.")
    columns: Sequence[Any] = getattr(found, "columns", ())
    nullable = [column for column in columns if isinstance(column, Column) and column.nullable]
    if nullable:
        name = f"{nullable[0].table}.{nullable[0].name}"
        place.refuse(f"the column {name} may be NULL. Annotate the field with `| None`, or make the column NOT NULL.")


def refuse_other_type(place: Place, found: Member) -> None:
    """Refuse what is surely not the type that the column has; pydantic converts by itself."""
    if not isinstance(found, ColumnProperty) or hasattr(place.shape.type, "__pydantic_validator__"):
        return
    kind, hint = found.columns[0].type, place.field.hint
    name = f"{found.parent.class_.__name__}.{found.key}"
    if is_shape(hint) and not _is_typed_dict(hint):
        place.refuse(f"{name} is a column and no relationship: annotate the field with what the column has.")
    if isinstance(kind, ARRAY) and place.field.collection not in {None, list}:
        place.refuse(f"{name} is an array, which is read as a list: annotate the field with list[...].")
    if isinstance(kind, TypeDecorator) or hint not in _PLAIN:
        return
    try:
        has: Any = kind.python_type
    except NotImplementedError:
        return
    if has in _PLAIN and not issubclass(has, hint) and (has, hint) != (int, float):
        place.refuse(f"{name} is read as {has.__name__}, not {hint.__name__}: annotate the field with {has.__name__}.")


def refuse_other_nesting(place: Place, prop: RelationshipProperty[Any], *, absent: bool) -> None:
    """Refuse a field that is not annotated as many, one, or perhaps one, as its relationship has."""
    field, target = place.field, prop.mapper.class_.__name__
    name = f"{prop.parent.class_.__name__}.{prop.key}"
    wanted = field.item if field.collection is not None else field.hint
    if prop.uselist and field.collection is None:
        place.refuse(f"{name} has many {target}: annotate the field with list[X].")
    if not prop.uselist and field.collection is not None:
        place.refuse(f"{name} has one {target}: annotate the field with X or `X | None`.")
    if not is_shape(wanted):
        place.refuse(
            f"{name} is a relationship: annotate the field with a type that names what to read of {target}, such as a "
            "dataclass."
        )
    if absent and not prop.uselist and not field.is_optional:
        place.refuse(f"{name} may be missing. Annotate the field with `| None`.")


def _is_typed_dict(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, dict)
