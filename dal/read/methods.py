"""The methods of a repository that read, as entities or into a type of the caller's."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.orm import DeclarativeBase

from dal.read.by_key import ReadsByKey
from dal.read.in_sets import ReadsInSets

E = TypeVar("E", bound=DeclarativeBase)


class Reads(ReadsByKey[E], ReadsInSets[E]):
    """Without *into* entities are read, whose relationships raise `NotLoaded` until an option loads them.

    With *into*, a dataclass, a msgspec.Struct, a pydantic model, a NamedTuple or a TypedDict says by its fields what is
    read, and nothing else is; an attribute or an expression is read by itself. See docs/projections.md.
    """
