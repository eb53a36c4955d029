"""Authors, their books, and who has borrowed them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from dal.orm import Base
from sqlalchemy import ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

__all__ = ["Author", "Base", "Book", "Loan"]

Key = Annotated[int, mapped_column(Identity(), primary_key=True)]


class Author(Base):
    """Somebody who writes."""

    __tablename__ = "author"

    id: Mapped[Key]
    name: Mapped[str]


class Book(Base):
    """One copy of a book."""

    __tablename__ = "book"

    id: Mapped[Key]
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id), index=True)
    title: Mapped[str]
    isbn: Mapped[str] = mapped_column(unique=True)
    author: Mapped[Author] = relationship()
    loans: Mapped[list[Loan]] = relationship(back_populates="book")


class Loan(Base):
    """A book in somebody's hands, until it is returned."""

    __tablename__ = "loan"

    id: Mapped[Key]
    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id), index=True)
    borrower: Mapped[str]
    lent_at: Mapped[datetime] = mapped_column(server_default=func.now())
    returned_at: Mapped[datetime | None]
    book: Mapped[Book] = relationship(back_populates="loans")


Index("uq_loan_open", Loan.book_id, unique=True, postgresql_where=Loan.returned_at.is_(None))
