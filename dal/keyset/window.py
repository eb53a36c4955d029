"""What one page asks for: so many rows of an ordering, after a bookmark, before one, or from the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Select

from dal.errors import KeysetError
from dal.keyset.bookmark import decoded, encoded
from dal.keyset.element import Element
from dal.keyset.ordering import Ordering
from dal.keyset.page import Page
from dal.keyset.predicate import beyond
from dal.keyset.values import told

T = TypeVar("T")

# One more is asked for, and PostgreSQL's LIMIT is a bigint.
MOST_ROWS: Final = 2**63 - 2


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """`of` makes the statement, whose rows have the texts of their places at the end; `page` makes a page of those."""

    ordering: Ordering
    limit: int
    bookmark: str | None
    values: tuple[str | None, ...] | None
    is_backwards: bool

    @classmethod
    def on(cls, ordering: Ordering, limit: int, *, after: str | None = None, before: str | None = None) -> Window:
        """Check what is asked for; raises `KeysetError`."""
        if type(limit) is not int or limit > MOST_ROWS:
            raise KeysetError(f"limit is no int up to {MOST_ROWS:,}: check what a client asks for.")
        if limit < 1:
            raise KeysetError(f"limit={limit}: a page has at least one row.")
        if after is not None and before is not None:
            raise KeysetError("a page is after one bookmark or before one, not both: give only one of them.")
        bookmark = after if before is None else before
        values = None if bookmark is None else _place(ordering, bookmark)
        return cls(ordering, limit, bookmark, values, is_backwards=before is not None)

    @property
    def width(self) -> int:
        """How many columns the statement has at the end of each row."""
        return len(self.ordering.elements)

    def of(self, statement: Select[Any]) -> Select[Any]:
        """Ask for this window of what *statement* selects, and for one row more, which tells whether there are more.

        Windows of one shape (the elements, and which values are NULL) are one statement to SQLAlchemy and the server.
        """
        texts = [each.text.label(f"dal_place_{n}") for n, each in enumerate(self.ordering.elements)]
        elements = [each.reversed for each in self.ordering.elements] if self.is_backwards else self.ordering.elements
        ordered = statement.add_columns(*texts).order_by(None).order_by(*(each.clause for each in elements))
        if self.values is not None:
            ordered = ordered.where(beyond(elements, self.values))
        return ordered.limit(self.limit + 1)

    def page(self, items: Sequence[T], places: Sequence[Sequence[str | None]]) -> Page[T]:
        """Make a page of what the statement gave: the items, and of each row the last `width` columns."""
        is_more = len(items) > self.limit
        step = -1 if self.is_backwards else 1
        items, places = items[: self.limit][::step], places[: self.limit][::step]
        first, last = self._ends(places)
        is_behind = self.values is not None and bool(items)
        has_previous, has_next = (is_more, is_behind) if self.is_backwards else (is_behind, is_more)
        return Page(items, first, last, has_previous=has_previous, has_next=has_next)

    def is_all(self, page: Page[Any]) -> bool:
        """Tell whether there is nothing beside *page*, so that its length is the count."""
        return self.values is None and not page.has_next

    def _ends(self, places: Sequence[Sequence[str | None]]) -> tuple[str | None, str | None]:
        if places:
            return self._bookmark(places[0]), self._bookmark(places[-1])
        return (self.bookmark, None) if self.is_backwards else (None, self.bookmark)

    def _bookmark(self, place: Sequence[str | None]) -> str:
        elements = self.ordering.elements
        values = [told(text, each.carried) for each, text in zip(elements, place, strict=True)]
        _refuse_null(elements, values, "a row has")
        return encoded(values, self.ordering.digest, self.ordering.keys)


def _place(ordering: Ordering, bookmark: str) -> tuple[str | None, ...]:
    values = decoded(bookmark, ordering.digest, ordering.keys)
    if len(values) != len(ordering.elements):
        raise KeysetError(
            f"the bookmark has {len(values)} values, and the ordering {len(ordering.elements)}: it was forged. Sign "
            "bookmarks with keys=."
        )
    _refuse_null(ordering.elements, values, "the bookmark has")
    return values


def _refuse_null(elements: Sequence[Element], values: Sequence[str | None], what: str) -> None:
    for element, value in zip(elements, values, strict=True):
        if value is None and not element.is_nullable:
            raise KeysetError(
                f"{what} NULL in {element.attribute!r}, which is mapped as never NULL: correct mapping or table."
            )
