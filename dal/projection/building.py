"""Objects of columns, as fast as each kind of type allows: nothing is asked per object that is known of the type.

Pure. Refuses: no columns at all, for nothing would tell how many objects there are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter
from typing import Any, TypeAlias

from dal.errors import ProjectionError
from dal.projection.kinds import Kind, kind_of, parameters_of, validates_itself

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
    if validates_itself(type_):
        return _validating_maker(type_, names)
    if kind_of(type_) is Kind.TYPED_DICT:
        return _compiled(names, "{mapping}", {})
    return _positional_maker(type_, names) or _compiled(names, "type_({arguments})", {"type_": type_})


def _positional_maker(type_: Any, names: Sequence[str]) -> Maker | None:
    """Give one without any Python per object, if the names are the first arguments."""
    parameters = parameters_of(type_).values()
    first = [each.name for each in parameters if each.kind is Parameter.POSITIONAL_OR_KEYWORD][: len(names)]
    if set(first) != set(names):
        return None
    places = [names.index(name) for name in first]
    return lambda columns: list(map(type_, *(columns[place] for place in places)))


def _validating_maker(type_: Any, names: Sequence[str]) -> Maker:
    """Validate each row by itself: a list of them in one call is not faster, and holds all the dicts."""
    core = sys.modules["pydantic_core"]
    owners = _owners_of_aliases(type_)
    # Aliases go before names, and must go on to work in documents inside: they are left out only where a name would be
    # taken for another field's alias.
    is_taken = any(owners.get(name, name) != name for name in names)
    flags = ", by_name=True" * bool(owners) + ", by_alias=False" * is_taken
    # A dataclass that is strict takes no dict: this is what its constructor does, which has no flags.
    is_dataclass = kind_of(type_) is Kind.DATACLASS
    row = "arguments((), {mapping}), self_instance=type_.__new__(type_)" if is_dataclass else "{mapping}"
    known = {"validate": type_.__pydantic_validator__.validate_python, "arguments": core.ArgsKwargs, "type_": type_}
    make = _compiled(names, f"validate({row}{flags})", known)

    def made(columns: Columns) -> list[Any]:
        try:
            return make(columns)
        except core.ValidationError as error:
            # Its own text, which a traceback would show, has the values.
            raise _refusal(type_, {} if is_taken else owners, error) from None

    return made


def _refusal(type_: Any, owners: Mapping[str, str], error: Any) -> ProjectionError:
    """Name fields and types of error: values, and keys inside of documents, are nobody's business."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    heads = [(each["loc"][0] if each["loc"] else "the whole", each["type"]) for each in found]
    told = ", ".join(dict.fromkeys(f"{owners.get(head, head)} ({kind})" for head, kind in heads))
    return ProjectionError(
        f"{type_.__qualname__} refuses a row: {told}. Make its annotations and validators fit what the columns hold, "
        "or correct the rows."
    )


def _owners_of_aliases(type_: Any) -> Mapping[str, str]:
    """Tell by the first word of each alias which field has it."""
    fields = type_.__pydantic_fields__
    return {head: name for name, each in fields.items() for head in _heads(each.validation_alias)}


def _heads(alias: Any) -> list[Any]:
    if alias is None:
        return []
    choices = getattr(alias, "choices", [alias])
    return [each if isinstance(each, str) else each.path[0] for each in choices]


def _compiled(names: Sequence[str], row: str, known: dict[str, Any]) -> Maker:
    """Compile a comprehension that makes *row*, of `{mapping}` or `{arguments}` and what is *known*, of each row.

    The fields' names stand in its code: `type_(**dict(zip(names, row)))` takes twice as long for dicts and dataclasses,
    eight times for a Struct.
    """
    values = [f"v{number}" for number in range(len(names))]
    cells = list(zip(names, values, strict=True))
    mapping = ", ".join(f"{name!r}: {value}" for name, value in cells)
    arguments = ", ".join(f"{name}={value}" for name, value in cells)
    made = row.format(mapping=f"{{{mapping}}}", arguments=arguments)
    source = f"lambda columns: [{made} for {', '.join(values)}, in zip(*columns)]"
    maker: Maker = eval(source, known)  # noqa: S307 # of fields' names only, as literals or identifiers
    return maker
