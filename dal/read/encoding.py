"""JSON of what was read, straight from the objects: pydantic encodes its own types, msgspec all others.

Pure. Imports msgspec when it is first needed. Refuses: a value that has no one natural form in JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final, TypeAlias

import asyncpg

from dal.errors import ProjectionError, extra_needed
from dal.projection import is_shape, shape_of

# Types are few; expressions may be made for each call.
KEPT: Final = 1000

Encode: TypeAlias = Callable[[Any], bytes]

_AS_TEXT: Final = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
# Besides what cannot be encoded by its type: numbers too large, and text that is no UTF-8.
_REFUSED: Final = (TypeError, ValueError, OverflowError)


class Encoder:
    """Encodes objects of one type, or values of one expression. Raises `MissingExtra` at once without msgspec."""

    __slots__ = ("_any", "_into", "_one", "_several")

    def __init__(self, into: Any) -> None:
        self._into = into
        if _is_pydantic(into):
            self._any: Encode = sys.modules["pydantic_core"].to_json
            self._one, self._several = _pydantic(into)
        else:
            self._any = self._one = self._several = _msgspec()

    def one(self, found: Any) -> bytes:
        """Encode one object."""
        return self._encoded(self._one, found, [found])

    def several(self, found: Sequence[Any]) -> bytes:
        """Encode an array of objects."""
        return self._encoded(self._several, found, found)

    def _encoded(self, encode: Encode, what: Any, found: Sequence[Any]) -> bytes:
        try:
            return encode(what)
        except _REFUSED as error:
            where, kind = next(_refused(self._any, self._into, found), (_called(self._into), None))
            what_it_is = f"a value of type {kind.__qualname__}" if kind else "a value"
            raise ProjectionError(
                f"{where} has {what_it_is} that JSON has no form for. Read it as text, as by "
                "Annotated[str, Expr(cast(..., Text))], or say in a pydantic type how it is serialized."
            ) from error


def encoder_of(into: Any) -> Encoder:
    """Give the encoder of a type or an expression."""
    return _kept(into)


@lru_cache(maxsize=KEPT)
def _kept(into: Any) -> Encoder:
    return Encoder(into)


def _is_pydantic(into: Any) -> bool:
    return is_shape(into) and hasattr(into, "__pydantic_serializer__")


def _pydantic(type_: Any) -> tuple[Encode, Encode]:
    """Encode as `model_dump_json` does; the array in one call, which takes half the time of one for each."""
    adapter = sys.modules["pydantic"].TypeAdapter
    return adapter(type_).dump_json, adapter(list[type_]).dump_json


@cache
def _msgspec() -> Encode:
    with extra_needed("json"):
        import msgspec

    def other(value: Any) -> Any:
        """Give what stands for a value that msgspec knows nothing of."""
        if isinstance(value, _AS_TEXT):
            return str(value)
        if isinstance(value, str):  # of a class of its own, such as SQLAlchemy's BitString
            return str.__str__(value)
        if isinstance(value, asyncpg.Record):  # a composite of the server's
            return dict(value.items())
        if hasattr(value, "__pydantic_serializer__"):
            return msgspec.Raw(value.__pydantic_serializer__.to_json(value))
        raise TypeError(f"{type(value).__qualname__} has no form in JSON")

    return msgspec.json.Encoder(enc_hook=other).encode


def _refused(encode: Encode, type_: Any, found: Sequence[Any]) -> Iterator[tuple[str, type]]:
    """Find the fields, by the types that name them, whose values cannot be encoded."""
    for each in found:
        if each is None or _can(encode, each):
            continue
        if not is_shape(type_):
            yield _called(type_), type(each)
            continue
        for field in shape_of(type_).fields:
            value = each[field.name] if isinstance(each, dict) else getattr(each, field.name)
            many = field.collection is not None and is_shape(field.item)
            if many or is_shape(field.hint):
                yield from _refused(encode, field.item if many else field.hint, list(value) if many else [value])
            elif not _can(encode, value):
                yield f"{type_.__qualname__}.{field.name}", type(value)


def _can(encode: Encode, value: Any) -> bool:
    try:
        encode(value)
    except _REFUSED:
        return False
    return True


def _called(into: Any) -> str:
    return into.__qualname__ if isinstance(into, type) else "the expression"
