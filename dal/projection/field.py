"""A field of a type that rows are read into: what its annotation asks for.

Pure. Refuses: an annotation that says too little, or more than one statement per relationship could fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ForwardRef, TypeVar, get_origin

from dal.errors import ProjectionError
from dal.projection.hints import Collect, Hint, collection_of, is_union, parts, read_hint, without_metadata
from dal.projection.kinds import has_hash, kind_of
from dal.projection.markers import Expr, From, Load


@dataclass(frozen=True, slots=True)
class Field:
    """What a field asks for. `hint` is without Annotated, None and aliases; `item` is what a collection's items are.

    `collection` makes the collection of a list; for `list`, `Sequence`, `Collection` and `Iterable` it gives the list
    itself. Any and object allow None too.
    """

    name: str
    hint: Any
    is_optional: bool
    is_required: bool
    source: From | Expr | None
    load: Load | None
    collection: Collect | None
    item: Any


def field_of(owner: str, name: str, annotation: Any, *, is_required: bool) -> Field:
    """Read the annotation of a field of the type that is called *owner*."""
    where = f"{owner}.{name}"
    read = read_hint(annotation)
    collection, inner = collection_of(read.bare) or (None, None)
    item = without_metadata(inner)
    _refuse_open(where, annotation)
    _refuse_bare_markers(where, read)
    _refuse_inner_markers(where, inner)
    source, load = _source(where, read), _load(where, read)
    if load is not None and collection is None:
        raise ProjectionError(f"{where} has Load(), and is no collection: annotate it as list[...], or leave it out.")
    if source is None:
        _refuse_unclear(where, read.bare, item if collection else read.bare)
    if collection in (set, frozenset) and not has_hash(get_origin(item) or item):
        raise ProjectionError(f"{where} is a set of {called(item)}, which has no hash: make it frozen, or take a list.")
    if read.must_be_given is not None:
        is_required = read.must_be_given
    return Field(name, read.bare, read.is_optional, is_required, source, load, collection, item if collection else None)


def called(hint: Any) -> str:
    """Name a type or an annotation; of any other object only its type, for its repr may show values."""
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint.__qualname__
    return repr(hint) if get_origin(hint) is not None else f"an object of {type(hint).__qualname__}"


def unresolved(where: str, missing: str) -> ProjectionError:
    """Say that an annotation names something that is not there at run time."""
    return ProjectionError(
        f"{where} cannot be resolved: {missing}. Put what it names at module level, and import it outside of "
        "TYPE_CHECKING."
    )


def generic(where: str, alias: Any) -> ProjectionError:
    """Say that a class with type variables is no class with fields."""
    return ProjectionError(
        f"{where}{alias!r} is a generic alias: write a class without type variables, whose fields have their types."
    )


def _refuse_open(where: str, annotation: Any) -> None:
    for each in parts(annotation):
        if isinstance(each, TypeVar):
            raise ProjectionError(
                f"{where} has the type variable {each.__name__}: write a class without, whose fields have their types."
            )
        if isinstance(each, str | ForwardRef):
            raise unresolved(where, each if isinstance(each, str) else each.__forward_arg__)


def _refuse_inner_markers(where: str, item: Any) -> None:
    found = [type(each).__name__ for each in read_hint(item).metadata if isinstance(each, From | Expr | Load)]
    if found:
        raise ProjectionError(f"{where} has {found[0]}() inside of its collection: write Annotated[list[...], ...].")


def _refuse_bare_markers(where: str, read: Hint) -> None:
    for each in (From, Expr, Load):
        if any(each is found for found in read.metadata):
            raise ProjectionError(f"{where} has {each.__name__} without brackets: write {each.__name__}(...).")


def _source(where: str, read: Hint) -> From | Expr | None:
    found = [each for each in read.metadata if isinstance(each, From | Expr)]
    if len(found) > 1:
        raise ProjectionError(f"{where} has {len(found)} of From() and Expr(): a field has one value, leave one.")
    return found[0] if found else None


def _load(where: str, read: Hint) -> Load | None:
    found = [each for each in read.metadata if isinstance(each, Load)]
    if len(found) > 1:
        raise ProjectionError(f"{where} has {len(found)} Load(): say all of it in one.")
    return found[0] if found else None


def _refuse_unclear(where: str, bare: Any, inner: Any) -> None:
    """Refuse what is neither a column's value nor one type, or one collection of one type, of another table's rows."""
    document = "or Annotated[..., From(Entity.attribute)] if it is the value of one column"
    if is_union(bare):
        raise ProjectionError(f"{where} is a union of several types: annotate it with one, {document}.")
    for each in () if kind_of(inner) else parts(bare):
        if kind_of(get_origin(each)):
            raise generic(f"{where}: ", each)
        if kind_of(each):
            raise ProjectionError(
                f"{where} holds {called(each)} too deep: annotate it with {called(each)} or list[{called(each)}], "
                f"{document}."
            )
