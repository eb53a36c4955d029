"""What the library reads and writes, and the transaction that holds it together."""

from __future__ import annotations

from collections.abc import Sequence

from dal import Repository, UnitOfWork
from dal.errors import NotFound
from sqlalchemy.orm import joinedload

from library.models import Author, Book, Loan


class AuthorRepository(Repository[Author]):
    """Authors."""


class BookRepository(Repository[Book]):
    """Books."""

    async def catalogue(self, limit: int) -> Sequence[Book]:
        """Read books with their authors, by title."""
        return await self.list(order_by=(Book.title, Book.id), limit=limit, options=[joinedload(Book.author)])


class LoanRepository(Repository[Loan]):
    """Loans."""

    async def open_loan(self, book_id: int) -> Loan:
        """Read the loan that keeps a book out, or raise `NotFound`."""
        loans = await self.list(Loan.book_id == book_id, Loan.returned_at.is_(None))
        if not loans:
            raise NotFound(f"book {book_id} is not lent.")
        return loans[0]


class Library(UnitOfWork):
    """One transaction over the whole library."""

    authors: AuthorRepository
    books: BookRepository
    loans: LoanRepository
