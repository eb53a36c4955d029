"""Arrays as lists: the binary form of a whole array, in hexadecimal digits, taken apart in Python.

Pure. Refuses: arrays of several dimensions, and those whose first element is not number 1; a list has neither.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Sequence
from struct import Struct
from typing import Final

import pyarrow as pa

from dal.copy.out.wire import Unfit, Wire

_HEAD: Final = Struct(">iiI")  # dimensions, whether there are nulls, the elements' type
_DIMENSION: Final = Struct(">ii")  # how many, and the number of the first
_LENGTH: Final = Struct(">i")
_FIRST: Final = _HEAD.size + _DIMENSION.size


class Listed(Wire):
    """An array of *element*s."""

    def __init__(self, element: Wire) -> None:
        sent = f"pg_catalog.encode(pg_catalog.array_send({{}}{'::text[]' if element.is_text else ''}), 'hex')"
        super().__init__(pa.list_(element.type), sent, read=pa.string(), is_text=False)
        self._element = element

    def array(self, column: pa.Array) -> pa.Array:
        """Make lists of hexadecimal digits."""
        elements: list[bytes | None] = []
        ends: list[int] = []
        for digits in column.to_pylist():
            ends.append(len(elements))
            if digits is not None:
                elements += _elements_of(unhexlify(digits))
        offsets = pa.array([*ends, len(elements)], pa.int32())
        valid = column.is_valid().buffers()[1] if column.null_count else None
        values = self._element.elements(elements)
        return pa.Array.from_buffers(self.type, len(column), [valid, offsets.buffers()[1]], children=[values])

    def elements(self, values: Sequence[bytes | None]) -> pa.Array:
        """Refuse: the server has no arrays of arrays, only dimensions."""
        raise NotImplementedError


def _elements_of(data: bytes) -> list[bytes | None]:
    dimensions, _, _ = _HEAD.unpack_from(data)
    if not dimensions:
        return []
    count, first = _DIMENSION.unpack_from(data, _HEAD.size)
    if dimensions > 1:
        raise Unfit(f"an array of {dimensions} dimensions, where a list has one; select it as cast(..., Text)")
    if first != 1:
        raise Unfit(
            f"an array whose first element is number {first}, which a list cannot say; select it as cast(..., Text)"
        )
    found: list[bytes | None] = []
    at = _FIRST
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        found.append(None if length < 0 else data[at : at + length])
        at += max(length, 0)
    return found
