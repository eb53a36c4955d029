"""Arrow's values as Python's, for columns that go as text.

Pure. Raises one of `dal.copy.values.MISFITS` for what the column would cut, or Python has no value for.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import types

from dal.copy.kinds import Kind


def python_of(array: pa.Array, kind: Kind) -> list[Any]:
    """Give the values of an *array* that goes into a column of *kind*."""
    fitted = _fitted(array.type, kind)
    values = (array if fitted is None else array.cast(fitted)).to_pylist()
    return [value_of(each, kind) for each in values]


def value_of(value: Any, kind: Kind) -> Any:
    """Give what `as_py` made of a value as what the column has."""
    if isinstance(value, bytes) and isinstance(kind.type, types.Uuid):
        return UUID(bytes=value)
    if isinstance(value, list) and kind.item is not None:
        return [value_of(each, kind.item) for each in value]  # pyright: ignore[reportUnknownVariableType] # of anything
    return value


def _fitted(given: pa.DataType, kind: Kind) -> pa.DataType | None:
    if kind.item is None:
        return kind.fitted(given)
    item = kind.item.fitted(given.value_type) if pa.types.is_list(given) or pa.types.is_large_list(given) else None
    return None if item is None else pa.list_(item)
