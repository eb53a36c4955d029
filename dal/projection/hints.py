"""An annotation, read: what is below Annotated, None, aliases and NewType, and what kind of collection it is.

Pure, and knows nothing of the types that can be read into. Refuses: nothing, it only tells what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NewType, Optional, TypeAlias, TypeVar, Union, get_args, get_origin

Collect: TypeAlias = Callable[[list[Any]], Any]

# By the end of its repr: typing_extensions has forms of its own, and no Python before 3.13 has ReadOnly.
_LOOKED_THROUGH: Final = {"Required", "NotRequired", "ReadOnly", "Final"}


@dataclass(frozen=True, slots=True)
class Hint:
    """`bare` is the type itself; `metadata` what Annotated says, `must_be_given` what Required or NotRequired say."""

    bare: Any
    is_optional: bool
    metadata: tuple[Any, ...]
    must_be_given: bool | None


def read_hint(hint: Any) -> Hint:
    """Look through everything that says something about a type; of several types beside None, all stay."""
    metadata: list[Any] = []
    is_optional = False
    must_be_given: bool | None = None
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            metadata += hint.__metadata__
            hint = hint.__origin__
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif _is_alias(hint) or _is_alias(origin):
            hint = _meant_by(hint)
        elif (form := _form(origin)) in _LOOKED_THROUGH:
            must_be_given = {"Required": True, "NotRequired": False}.get(form, must_be_given)
            hint = get_args(hint)[0]
        elif is_union(hint) and NoneType in get_args(hint):
            is_optional = True
            hint = Union[tuple(each for each in get_args(hint) if each is not NoneType)]  # noqa: UP007 # of a tuple
        else:
            return Hint(hint, is_optional or hint in (Any, object, None, NoneType), tuple(metadata), must_be_given)


def is_union(hint: Any) -> bool:
    """Tell whether this is one of several types."""
    return get_origin(hint) in (Union, UnionType)


def collection_of(bare: Any) -> tuple[Collect, Any] | None:
    """Give what makes such a collection of a list, and the type of its items as it is annotated."""
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is tuple:
        return (tuple, arguments[0]) if arguments[1:] == (...,) else None
    return (_COLLECTIONS[origin], arguments[0]) if origin in _COLLECTIONS else None


def without_metadata(hint: Any) -> Any:
    """Give a type that may be None, without what else is said of it."""
    read = read_hint(hint)
    return Optional[read.bare] if read.is_optional and read.bare not in (Any, object) else read.bare  # noqa: UP045 # of a value


def parts(hint: Any) -> Iterator[Any]:
    """Give the type, and all that stands in its brackets, each looked through."""
    yield from _parts(hint, [])


def _parts(hint: Any, passed: list[Any]) -> Iterator[Any]:
    if any(hint is each for each in passed):  # an alias may name itself
        return
    bare = read_hint(hint).bare
    yield bare
    if get_origin(bare) is Literal:
        return
    for argument in get_args(bare):
        for each in argument if isinstance(argument, list) else [argument]:  # Callable has a list of types
            yield from _parts(each, [*passed, hint])


def _is_alias(hint: Any) -> bool:
    """Tell a `type` statement's alias, by what it has: Python 3.11 knows typing_extensions' only."""
    return hasattr(hint, "__value__") and hasattr(hint, "__type_params__")


def _meant_by(hint: Any) -> Any:
    if _is_alias(hint) and get_origin(hint) is None:
        return hint.__value__
    alias = get_origin(hint)
    given = dict(zip(alias.__type_params__, get_args(hint), strict=False))
    return _filled(alias.__value__, given)


def _filled(value: Any, given: Mapping[Any, Any]) -> Any:
    """Put types in the places of type variables, in the order in which they stand in *value*."""
    if isinstance(value, TypeVar):
        return given.get(value, value)
    free = getattr(value, "__parameters__", ())
    return value[tuple(given.get(each, each) for each in free)] if free else value


def _form(origin: Any) -> str:
    return repr(origin).rpartition(".")[2]


def _itself(rows: list[Any]) -> list[Any]:
    return rows


_COLLECTIONS: Final[dict[Any, Collect]] = {
    list: _itself,
    Sequence: _itself,
    Collection: _itself,
    Iterable: _itself,
    set: set,
    frozenset: frozenset,
}
