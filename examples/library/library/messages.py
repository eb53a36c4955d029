"""What clients say, and what they are told."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class NewBook(BaseModel):
    """A book to be added."""

    author_id: int
    title: str
    isbn: str


class NewLoan(BaseModel):
    """Who borrows."""

    borrower: str


class FromEntity(BaseModel):
    """What is read from an entity's attributes."""

    model_config = ConfigDict(from_attributes=True)


class AuthorShown(FromEntity):
    """An author."""

    id: int
    name: str


class BookShown(FromEntity):
    """A book with its author."""

    id: int
    title: str
    isbn: str
    author: AuthorShown


class LoanShown(FromEntity):
    """Who has which book, and since when."""

    book_id: int
    borrower: str
    lent_at: datetime
