import pytest
from dal.errors import NotFound, NotLoaded, UniqueViolation

from library.models import Book, Loan


async def test_the_catalogue_is_in_the_order_of_titles(unit_of_work, make):
    await unit_of_work.books.add(make(Book, title="Sula"), make(Book, title="Beloved"))
    assert [book.title for book in await unit_of_work.books.catalogue(limit=10)] == ["Beloved", "Sula"]


async def test_a_book_knows_its_loans_only_if_asked_for(unit_of_work, make):
    book = make(Book)
    await unit_of_work.books.add(book)
    with pytest.raises(NotLoaded, match=r"selectinload\(Book.loans\)"):
        _ = book.loans


async def test_a_book_has_one_open_loan(unit_of_work, make):
    book = make(Book)
    await unit_of_work.loans.add(make(Loan, book=book))
    with pytest.raises(UniqueViolation) as refused:
        await unit_of_work.loans.add(make(Loan, book=book))
    assert refused.value.constraint == "uq_loan_open"


async def test_a_book_on_its_shelf_has_no_open_loan(unit_of_work, make):
    await unit_of_work.books.add(book := make(Book))
    with pytest.raises(NotFound):
        await unit_of_work.loans.open_loan(book.id)
