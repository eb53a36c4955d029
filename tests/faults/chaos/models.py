"""What the service under attack keeps: accounts, what was written under which number, shelves, items, secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, MetaData, Table, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from dal import Repository, UnitOfWork, orm

ACCOUNTS: Final = 40
BALANCE: Final = 1000
SHELVES: Final = 20
BOOKS: Final = 5
STABLE_ITEMS: Final = 150
TENANTS: Final = 4
SECRETS: Final = 10


class Base(orm.AwaitableAttrs, DeclarativeBase):
    """A registry of their own."""

    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Text}


class Account(Base):
    """Somebody's money; the sum of all is always the same."""

    __tablename__ = "chaos_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]
    words: Mapped[str]


class Written(Base):
    """One row of a group that was written whole or not at all. Without a key: what is written twice is there twice."""

    __tablename__ = "chaos_written"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    group: Mapped[int] = mapped_column(BigInteger, index=True)
    part: Mapped[int]
    source: Mapped[int | None]
    target: Mapped[int | None]


class Shelf(Base):
    """Has books."""

    __tablename__ = "chaos_shelf"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str]
    books: Mapped[list[Book]] = relationship(back_populates="shelf", order_by="Book.id")


class Book(Base):
    """Stands on a shelf."""

    __tablename__ = "chaos_book"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("chaos_shelf.id"), index=True)
    shelf: Mapped[Shelf] = relationship(back_populates="books")


class Item(Base):
    """Is listed page by page; those that are not stable come and go."""

    __tablename__ = "chaos_item"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    rank: Mapped[int]
    is_stable: Mapped[bool]


class Secret(Base):
    """Is seen by its tenant only."""

    __tablename__ = "chaos_secret"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int]


class Note(Base):
    """Lies on a small disk."""

    __tablename__ = "chaos_note"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    words: Mapped[str]


# Loaded by COPY in parts; without a key, too.
LOADED: Final = Table(
    "chaos_loaded",
    Base.metadata,
    Column("group", BigInteger, nullable=False, index=True),
    Column("part", BigInteger, nullable=False),
)


class Accounts(Repository[Account]):
    """All accounts."""


class Writings(Repository[Written]):
    """All that was written."""


class Shelves(Repository[Shelf]):
    """All shelves."""


class Items(Repository[Item]):
    """All items."""


class Secrets(Repository[Secret]):
    """All secrets that may be seen."""


class Notes(Repository[Note]):
    """All notes."""


class Bank(UnitOfWork):
    """Money moves in it."""

    accounts: Accounts
    writings: Writings


class Library(UnitOfWork):
    """Books are looked at in it."""

    shelves: Shelves


class Vault(UnitOfWork):
    """A tenant is in it."""

    secrets: Secrets


@dataclass
class AccountCard:
    """An account, as it is read most."""

    id: int
    balance: int
    words: str


@dataclass
class BookCard:
    """A book by its number."""

    id: int


@dataclass
class ShelfCard:
    """A shelf with its books."""

    id: int
    words: str
    books: list[BookCard]


@dataclass
class ItemCard:
    """An item in a list."""

    id: int
    rank: int
    is_stable: bool


def words_of(kind: str, number: int) -> str:
    """Give what a row says of itself, so that another's row is known by it."""
    return f"{kind} {number}"
