"""The enum type of a column, wherever in its type it is. Pure."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Enum
from sqlalchemy.types import ARRAY, TypeDecorator, TypeEngine


def enum_within(kind: TypeEngine[Any]) -> Enum | None:
    """Find the native enum that *kind* is, or is an array of, or decorates."""
    while isinstance(kind, ARRAY | TypeDecorator):
        kind = kind.item_type if isinstance(kind, ARRAY) else kind.impl_instance
    return kind if isinstance(kind, Enum) and kind.native_enum else None
