"""The service, as `create_app(url)` makes it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import pyarrow as pa
from dal import Database, DatabaseConfig
from dal.errors import CopyError, DataException, IntegrityViolation, NotFound, UniqueViolation
from dal.migrations import check_at_head
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy import URL

from library.messages import BookShown, LoanShown, NewBook, NewLoan
from library.models import Book, Loan
from library.repositories import BookRepository, Library

ALEMBIC_INI: Final = Path(__file__).parent.parent / "alembic.ini"

router = APIRouter()


def create_app(database_url: str | URL | DatabaseConfig) -> FastAPI:
    """Make an app that opens its database when it starts, and refuses one that is not migrated."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with Database(database_url) as app.state.db:
            await check_at_head(app.state.db, ini=ALEMBIC_INI)
            yield

    app = FastAPI(title="Library", lifespan=lifespan)
    app.include_router(router)
    app.add_exception_handler(NotFound, _not_found)
    for error in (CopyError, DataException):
        app.add_exception_handler(error, _does_not_fit)
    return app


def from_env() -> FastAPI:
    """Make the app for the database of `DAL_DATABASE_URL`."""
    return create_app(DatabaseConfig.from_env())


def database(request: Request) -> Database:
    """Give the app's database."""
    db: Database = request.app.state.db
    return db


async def unit_of_work(db: Annotated[Database, Depends(database)]) -> AsyncGenerator[Library]:
    """Give a transaction that is over before the answer is sent."""
    async with Library(db) as library:
        yield library


DatabaseDep = Annotated[Database, Depends(database)]
# By default FastAPI would commit after the answer: the client could hear of a success that is none.
LibraryDep = Annotated[Library, Depends(unit_of_work, scope="function")]


@router.get("/health")
async def health(db: DatabaseDep) -> dict[str, int]:
    """Count the books, which needs a working database."""
    return {"books": await BookRepository(db).count()}


@router.get("/books", response_model=list[BookShown])
async def list_books(db: DatabaseDep, limit: int = 100) -> Sequence[Book]:
    """List books with their authors."""
    return await BookRepository(db).catalogue(limit)


@router.post("/books", status_code=201, response_model=BookShown)
async def add_book(new: NewBook, library: LibraryDep) -> Book:
    """Add one book of an author who is known."""
    author = await library.authors.get_one(new.author_id)
    book = Book(title=new.title, isbn=new.isbn, author=author)
    try:
        await library.books.add(book)
    except UniqueViolation as error:
        raise HTTPException(409, f"there is a book with ISBN {new.isbn} already") from error
    return book


@router.post("/books/import", status_code=201)
async def import_books(new: Annotated[list[NewBook], Field(min_length=1)], library: LibraryDep) -> dict[str, int]:
    """Add many books by one COPY, all or none."""
    try:
        report = await library.books.copy_in(pa.Table.from_pylist([book.model_dump() for book in new]))
    except IntegrityViolation as error:
        raise HTTPException(409, "an ISBN is there twice, or an author is unknown") from error
    return {"books": report.rows}


@router.post("/books/{book_id}/loan", status_code=201, response_model=LoanShown)
async def lend(book_id: int, new: NewLoan, library: LibraryDep) -> Loan:
    """Lend a book to one borrower at a time; the index `uq_loan_open` sees to that."""
    loan = Loan(book=await library.books.get_one(book_id), borrower=new.borrower)
    try:
        await library.loans.add(loan)
    except UniqueViolation as error:
        raise HTTPException(409, "the book is lent") from error
    return loan


@router.delete("/books/{book_id}/loan", status_code=204)
async def take_back(book_id: int, library: LibraryDep) -> None:
    """Take a lent book back."""
    loan = await library.loans.open_loan(book_id)
    loan.returned_at = datetime.now(UTC)


async def _not_found(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=404)


async def _does_not_fit(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"a value does not fit: {error}"}, status_code=422)
