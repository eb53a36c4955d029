"""The five kinds of types that can be read into, and what each says of its own fields.

Pure. Refuses: importing msgspec or pydantic; their types are known by what they have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from inspect import Parameter, signature
from typing import Annotated, Any, Final, get_type_hints


class Kind(Enum):
    """What a type is made by."""

    DATACLASS = "a dataclass"
    STRUCT = "a msgspec.Struct"
    MODEL = "a pydantic model"
    NAMED_TUPLE = "a NamedTuple"
    TYPED_DICT = "a TypedDict"


def kind_of(type_: Any) -> Kind | None:
    """Tell the kind of a type; None for an entity, a generic alias, and for whatever else there is."""
    if not isinstance(type_, type) or is_entity(type_):
        return None
    return next((kind for kind, is_of in _SIGNS.items() if is_of(type_)), None)


def is_entity(type_: Any) -> bool:
    """Tell whether a class is mapped, which a dataclass or a pydantic model may be as well."""
    return isinstance(type_, type) and hasattr(type_, "__mapper__")


def hints_of(type_: Any, kind: Kind) -> dict[str, Any]:
    """Give the annotation of each field, in their order. Raises what resolving raises: `NameError`, `TypeError`, ..."""
    if kind is Kind.MODEL:
        # pydantic resolves more than typing does: names of functions, and type variables of a parent.
        if not type_.__pydantic_complete__:
            type_.model_rebuild()
        return {name: _annotated(each.annotation, each.metadata) for name, each in type_.model_fields.items()}
    hints = get_type_hints(type_, include_extras=True)
    return hints if kind is Kind.TYPED_DICT else {name: hints.get(name, Any) for name in _names_of(type_, kind)}


def required_of(type_: Any, kind: Kind) -> set[str]:
    """Give what has no default; arguments of a constructor too that are no fields."""
    if kind is Kind.TYPED_DICT:
        return set(type_.__required_keys__)
    if validates_itself(type_):
        return {name for name in hints_of(type_, kind) if type_.__pydantic_fields__[name].is_required()}
    parameters = parameters_of(type_)
    bare = {each.name for each in parameters.values() if each.default is each.empty}
    fields = dataclasses.fields(type_) if kind is Kind.DATACLASS else ()
    # A constructor of one's own may have other arguments than the fields.
    return bare | {each.name for each in fields if each.init and each.name not in parameters and not _has_default(each)}


def validates_itself(type_: Any) -> bool:
    """Tell whether pydantic made this very class; one made of it by other means goes by its constructor."""
    return "__pydantic_validator__" in vars(type_)


def parameters_of(type_: Any) -> Mapping[str, Parameter]:
    """Give the arguments that the constructor of a dataclass, a Struct or a NamedTuple has by name."""
    named = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
    return {name: each for name, each in signature(type_).parameters.items() if each.kind in named}


def has_hash(type_: Any) -> bool:
    """Tell whether objects of this type can stand in a set, as far as the type itself says."""
    if kind_of(type_) is Kind.STRUCT:
        # Every Struct has a method for it, which raises.
        config = type_.__struct_config__
        return bool(config.frozen or not config.eq or "__hash__" in vars(type_))
    return getattr(type_, "__hash__", None) is not None


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _annotated(annotation: Any, metadata: list[Any]) -> Any:
    return Annotated[(annotation, *metadata)] if metadata else annotation


def _names_of(type_: Any, kind: Kind) -> tuple[str, ...]:
    if kind is Kind.DATACLASS:
        return tuple(each.name for each in dataclasses.fields(type_) if each.init)
    return tuple(type_.__struct_fields__ if kind is Kind.STRUCT else type_._fields)


def _is_model(type_: type) -> bool:
    return hasattr(type_, "__pydantic_validator__") and not getattr(type_, "__pydantic_root_model__", False)


# In this order: a dataclass of pydantic's is a dataclass.
_SIGNS: Final = {
    Kind.DATACLASS: dataclasses.is_dataclass,
    Kind.STRUCT: lambda type_: hasattr(type_, "__struct_fields__"),
    Kind.MODEL: _is_model,
    Kind.NAMED_TUPLE: lambda type_: issubclass(type_, tuple) and hasattr(type_, "_fields"),
    Kind.TYPED_DICT: lambda type_: issubclass(type_, dict) and hasattr(type_, "__required_keys__"),
}
