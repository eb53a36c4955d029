"""What a page is: its items, the bookmarks of its ends, and how many rows there are in all, as far as that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows, and what it is worth; as text `1234`, `1000+` or `~1200`."""

    rows: int
    worth: Literal["exact", "at least", "about"] = "exact"

    def __str__(self) -> str:
        return {"exact": "{}", "at least": "{}+", "about": "~{}"}[self.worth].format(self.rows)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in their order. `first` and `last` are the bookmarks of its ends, also where nothing lies beyond.

    An empty page has the bookmark that it was read with, at the end where reading can go on: `after=page.last` of any
    page asks what is new since.
    """

    items: Sequence[T]
    first: str | None
    last: str | None
    has_previous: bool
    has_next: bool
    count: Count | None = None

    @property
    def next(self) -> str | None:
        """The bookmark for `after=`, None where the page is the last one."""
        return self.last if self.has_next else None

    @property
    def previous(self) -> str | None:
        """The bookmark for `before=`, None where the page was read from the beginning."""
        return self.first if self.has_previous else None
