"""The condition for rows beyond a place, in the direction in which they are read.

One comparison of row values where an index can serve it: all elements in one direction, and none of them can be NULL.
Else alternatives: beyond in the first element, or the same in it and beyond in the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, null, or_, tuple_

from dal.keyset.element import Element

Values = Sequence[str | None]


def beyond(elements: Sequence[Element], values: Values) -> ColumnElement[bool]:
    """Build the condition; the last of *elements* cannot be NULL, and no two rows are alike in all of them."""
    head, value = elements[0], values[0]
    condition = _beyond(elements, values)
    if _is_row(elements) or value is None or _has_nulls_beyond(head):
        return condition
    # Implied by the condition; but of an OR alone no index can tell where to begin.
    at_least = head.operand <= head.value(value) if head.is_descending else head.operand >= head.value(value)
    return and_(at_least, condition)


def _beyond(elements: Sequence[Element], values: Values) -> ColumnElement[bool]:
    if _is_row(elements):
        return _row_beyond(elements, values)
    head, value = elements[0], values[0]
    same = _null(head) if value is None else head.operand == head.value(value)
    in_the_rest = and_(same, _beyond(elements[1:], values[1:]))
    return or_(*_alone_beyond(head, value), in_the_rest)


def _alone_beyond(head: Element, value: str | None) -> list[ColumnElement[bool]]:
    if value is None:
        return [head.operand.is_distinct_from(null())] if head.nulls_first else []
    nulls = [_null(head)] if _has_nulls_beyond(head) else []
    return [_row_beyond([head], [value]), *nulls]


def _row_beyond(elements: Sequence[Element], values: Values) -> ColumnElement[bool]:
    row: list[ColumnElement[Any]] = [each.operand for each in elements]
    place = [each.value(value) for each, value in zip(elements, values, strict=True) if value is not None]
    left, right = (row[0], place[0]) if len(row) == 1 else (tuple_(*row), tuple_(*place))
    return left < right if elements[0].is_descending else left > right


def _null(element: Element) -> ColumnElement[bool]:
    # The same as IS NULL to the planner, but for a composite value: that IS NULL also where only all its fields are.
    return element.operand.is_not_distinct_from(null())


def _is_row(elements: Sequence[Element]) -> bool:
    return not any(each.is_nullable or each.is_descending != elements[0].is_descending for each in elements)


def _has_nulls_beyond(element: Element) -> bool:
    return element.is_nullable and not element.nulls_first
