"""The plan of a type on the columns of any statement, by their names.

Pure. Refuses: what needs a mapped class to be understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final, get_origin

from sqlalchemy import CompoundSelect, Select, TextClause, TextualSelect

from dal.errors import ProjectionError
from dal.projection.field import Field, called
from dal.projection.kinds import Kind, kind_of
from dal.projection.names import Place
from dal.projection.plan import FromColumn, Level, Node
from dal.projection.shape import Shape, is_shape, shape_of

# Types are few; the columns of a text may change with every call.
KEPT: Final = 1000


def refuse_type(type_: Any) -> None:
    """Refuse what can be read of no columns, whatever they are called."""
    if is_shape(type_):
        for field in shape_of(type_).fields:
            _refuse_field(Place(shape_of(type_), field))
    elif is_shape(get_origin(type_)) or (isinstance(type_, type) and getattr(type_, "__annotations__", None)):
        raise ProjectionError(
            f"{called(type_)} is nothing that columns can be read into: give a dataclass, a msgspec.Struct, a pydantic "
            "model, a NamedTuple or a TypedDict, or the type of the first column, such as int."
        )


@dataclass(frozen=True, slots=True)
class Described:
    """What a statement selects: a mapped class whole, or columns; *names* is None for a text, which knows none."""

    entity: Any
    names: tuple[str | None, ...] | None

    def entity_for(self, type_: Any) -> Any:
        """Give the mapped class for *type_* to say what is read of it."""
        if self.entity is not None and not is_shape(type_):
            raise ProjectionError(
                f"{called(type_)} has no fields, which say what to read of {called(self.entity)}: select a column."
            )
        return self.entity


def refuse_statement(statement: Any) -> None:
    """Refuse what is no SELECT and no text."""
    if not isinstance(statement, Select | CompoundSelect | TextClause | TextualSelect):
        raise ProjectionError(
            f"{type(statement).__name__} is no statement that can be read into a type: give select(...), a union of "
            "them, or text(...), which may have RETURNING."
        )


def described(statement: Any) -> Described:
    """Look at what *statement* selects; takes some 50 us for attributes of a mapped class."""
    if isinstance(statement, TextClause | TextualSelect):
        return Described(None, None)
    if not isinstance(statement, Select):
        return described(statement.selects[0] if isinstance(statement, CompoundSelect) else statement.element)
    columns = statement.column_descriptions
    whole = [each["expr"] for each in columns if each.get("entity") is not None and each["expr"] is each["entity"]]
    if whole and len(columns) > 1:
        raise ProjectionError(
            f"the statement selects {called(whole[0])} whole, among others: select it alone, or its columns one by one."
        )
    if whole and not isinstance(whole[0], type):
        raise ProjectionError(
            "the statement selects an aliased() class whole, which would be planned anew for every alias: select the "
            "class itself, and alias what stands beside it."
        )
    return Described(whole[0] if whole else None, tuple(_name(each) for each in columns))


@lru_cache(maxsize=KEPT)
def plan_of_columns(type_: Any, names: tuple[str | None, ...]) -> Level:
    """Plan how a row with these columns becomes a *type_*; raises `ProjectionError` for what does not fit."""
    refuse_type(type_)
    if not names:
        raise ProjectionError("the statement gives no rows: a text() that writes needs RETURNING.")
    if not is_shape(type_):
        return Level((), (), None, Node.of(lambda columns: list(columns[0]), (FromColumn(0),)), ())
    shape = shape_of(type_)
    found = {field.name: _place(shape, field, names) for field in shape.fields}
    places = {name: FromColumn(place) for name, place in found.items() if place is not None}
    if not places:
        raise ProjectionError(f"no column is named like a field of {called(type_)}. {_there(names)}")
    return Level((), (), None, Node.of(shape.maker(tuple(places)), tuple(places.values())), ())


def _place(shape: Shape, field: Field, names: Sequence[str | None]) -> int | None:
    count = names.count(field.name)
    if count > 1:
        Place(shape, field).refuse(f"{count} columns are called {field.name}: give all but one of them another label.")
    if count == 1:
        return names.index(field.name)
    if field.is_required:
        near = get_close_matches(field.name, [name for name in names if name], n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}? " if near else ""
        Place(shape, field).refuse(
            f"no column is called so. {hint}{_there(names)} Label one of them, or give the field a default."
        )
    return None


def _there(names: Sequence[str | None]) -> str:
    return f"The statement has {', '.join(name or 'one without a name' for name in names)}."


def _refuse_field(place: Place) -> None:
    field = place.field
    if field.source is not None or field.load is not None:
        place.refuse("From(), Expr() and Load() speak of a mapped class: here a field takes the column of its name.")
    inner = field.item if field.collection is not None else field.hint
    # pydantic makes an object of a document, and a TypedDict is one.
    if (
        is_shape(inner)
        and kind_of(inner) is not Kind.TYPED_DICT
        and not hasattr(place.shape.type, "__pydantic_validator__")
    ):
        place.refuse("rows of columns have nothing nested in them. Read a mapped class, as by select(Order).")


def _name(described: Any) -> str | None:
    """Give a column's own name: SQLAlchemy makes `id_1` of the second `id`."""
    key = getattr(described["expr"], "key", None)
    name: str | None = described["name"]
    return name if key is None or key.startswith("%(") else key
