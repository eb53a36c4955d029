import asyncio

import pytest
from dal.testing import assert_statements
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from library.models import Book, Loan
from library.repositories import BookRepository


@pytest.fixture
async def book(db, make):
    book = make(Book, title="Kindred")
    await BookRepository(db).add(book)  # committed, or the app would not see it
    return book


async def test_books_are_listed_with_their_authors(client, book):
    answer = await client.get("/books")
    assert [(each["title"], each["author"]["name"]) for each in answer.json()] == [("Kindred", book.author.name)]


@pytest.mark.parametrize("count", [1, 50])
async def test_the_list_takes_one_statement_however_long_it_is(client, db, make, count):
    await BookRepository(db).add(*make.many(Book, count))
    with assert_statements(1):
        answer = await client.get("/books")
    assert len(answer.json()) == count


async def test_a_new_book_is_there_for_others(client, book, session):
    new = {"author_id": book.author_id, "title": "Fledgling", "isbn": "978-1-58322-690-7"}
    assert (await client.post("/books", json=new)).status_code == 201
    assert await session.scalar(select(Book.isbn).where(Book.title == "Fledgling")) == new["isbn"]


async def test_an_unknown_author_is_not_found(client):
    answer = await client.post("/books", json={"author_id": 1, "title": "Kindred", "isbn": "1"})
    assert (answer.status_code, answer.json()) == (404, {"detail": "no Author has the id asked for."})


async def test_an_isbn_is_taken_once(client, book):
    again = {"author_id": book.author_id, "title": "Kindred, again", "isbn": book.isbn}
    assert (await client.post("/books", json=again)).status_code == 409


async def test_a_book_is_lent_again_once_it_is_back(client, book):
    async def lend(borrower):
        return (await client.post(f"/books/{book.id}/loan", json={"borrower": borrower})).status_code

    assert await lend("Ada") == 201
    assert await lend("Bob") == 409
    assert (await client.delete(f"/books/{book.id}/loan")).status_code == 204
    assert await lend("Bob") == 201


@pytest.mark.database  # connections of their own, so that the requests really race
async def test_of_those_who_want_a_book_at_once_one_gets_it(client, book, session):
    answers = await asyncio.gather(
        *(client.post(f"/books/{book.id}/loan", json={"borrower": name}) for name in ("Ada", "Bob", "Cyd", "Dee"))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert await session.scalar(select(func.count()).select_from(Loan)) == 1


async def test_an_import_is_one_copy(client, book, statement_log):
    books = [{"author_id": book.author_id, "title": f"Volume {n}", "isbn": f"{n}"} for n in range(100)]
    assert (await client.post("/books/import", json=books)).json() == {"books": 100}
    assert [each.rows for each in statement_log if each.text.startswith("COPY")] == [100]


async def test_an_import_with_one_bad_book_adds_none(client, book):
    books = [{"author_id": book.author_id, "title": f"Volume {n}", "isbn": "same"} for n in range(2)]
    assert (await client.post("/books/import", json=books)).status_code == 409
    assert (await client.get("/health")).json() == {"books": 1}


def test_a_synchronous_client_will_do(app):
    with TestClient(app) as client:
        assert client.get("/health").json() == {"books": 0}
