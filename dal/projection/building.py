"""Objects of columns, as fast as each kind of type allows: nothing is asked per object that is known of the type.

Pure. Refuses: no columns at all, for nothing would tell how many objects there are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter
from keyword import iskeyword
from typing import Any, TypeAlias

from dal.errors import ProjectionError
from dal.projection.kinds import Kind, kind_of, parameters_of

# One iterable of values per name, all of the same length.
Columns: TypeAlias = Sequence[Iterable[Any]]
# Makes one object per place.
Maker: TypeAlias = Callable[[Columns], list[Any]]


def maker_of(type_: Any, names: Sequence[str]) -> Maker:
    """Give what makes objects of *type_* of one column per name.

    Costs some 50 us, and is to be kept. A pydantic type validates; what else a constructor or `__post_init__` raises
    goes through as it is.
    """
    if not names:
        raise ProjectionError(
            f"no field of {type_.__qualname__} has a value to read: name one at least as an attribute of the entity, "
            "or give one its From() or Expr()."
        )
    kind = kind_of(type_)
    if kind is Kind.TYPED_DICT:
        return _compiled(names, "{mapping}")
    if kind is Kind.MODEL:
        return _validating(type_, _model_maker(type_, names))
    maker = _positional_maker(type_, names) or _compiled(names, "make({arguments})", type_)
    return _validating(type_, maker) if hasattr(type_, "__pydantic_validator__") else maker


def _positional_maker(type_: Any, names: Sequence[str]) -> Maker | None:
    """Give one without any Python per object, if the names are the first arguments."""
    parameters = parameters_of(type_).values()
    first = [each.name for each in parameters if each.kind is Parameter.POSITIONAL_OR_KEYWORD][: len(names)]
    if set(first) != set(names):
        return None
    places = [names.index(name) for name in first]
    return lambda columns: list(map(type_, *(columns[place] for place in places)))


def _model_maker(type_: Any, names: Sequence[str]) -> Maker:
    """Validate each object by itself: a list of them in one call is not faster, and holds all the dicts."""
    owners = _owners_of_aliases(type_)
    # Aliases go before names, and must go on to work in documents inside: they are left out only where a name would be
    # taken for another field's alias.
    is_taken = any(owners.get(name, name) != name for name in names)
    flags = ", by_name=True" * bool(owners) + ", by_alias=False" * is_taken
    return _compiled(names, f"make({{mapping}}{flags})", type_.__pydantic_validator__.validate_python)


def _validating(type_: Any, make: Maker) -> Maker:
    refused = sys.modules["pydantic_core"].ValidationError

    def made(columns: Columns) -> list[Any]:
        try:
            return make(columns)
        except refused as error:
            raise ProjectionError(
                f"{type_.__qualname__} refuses a row: {_places(type_, error)}. "
                "Make its annotations and validators fit what the columns hold, or correct the rows."
            ) from error

    return made


def _places(type_: Any, error: Any) -> str:
    """Name fields and types of error: values, and keys inside of documents, are nobody's business."""
    owners = _owners_of_aliases(type_)
    found = error.errors(include_url=False, include_context=False, include_input=False)
    heads = [(each["loc"][0] if each["loc"] else "the whole", each["type"]) for each in found]
    return ", ".join(dict.fromkeys(f"{owners.get(head, head)} ({kind})" for head, kind in heads))


def _owners_of_aliases(type_: Any) -> Mapping[str, str]:
    """Tell by the first word of each alias which field has it."""
    fields = getattr(type_, "__pydantic_fields__", {})
    return {head: name for name, each in fields.items() for head in _heads(each.validation_alias)}


def _heads(alias: Any) -> list[Any]:
    if alias is None:
        return []
    choices = getattr(alias, "choices", [alias])
    return [each if isinstance(each, str) else each.path[0] for each in choices]


def _compiled(names: Sequence[str], row: str, make: Any = None) -> Maker:
    """Compile a comprehension over the columns that makes *row*, of `{mapping}` or of `{arguments}`, of each row.

    The names stand in its code: `make(**dict(zip(names, row)))` takes twice as long for dicts and dataclasses, eight
    times for a Struct.
    """
    values = [f"v{number}" for number in range(len(names))]
    cells = list(zip(names, values, strict=True))
    mapping = ", ".join(f"{name!r}: {value}" for name, value in cells)
    arguments = ", ".join(map(_argument, names, values))
    made = row.format(mapping=f"{{{mapping}}}", arguments=arguments)
    source = f"lambda columns: [{made} for {', '.join(values)}, in zip(*columns)]"
    maker: Maker = eval(source, {"make": make})  # noqa: S307 # of fields' names only, as literals or identifiers
    return maker


def _argument(name: str, value: str) -> str:
    return f"{name}={value}" if name.isidentifier() and not iskeyword(name) else f"**{{{name!r}: {value}}}"
