"""Tables whose keys are equal in ways of their own, for lookups."""

from __future__ import annotations

import enum
import types
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from sqlalchemy import (
    CHAR,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    LargeBinary,
    MetaData,
    Numeric,
    TypeDecorator,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CITEXT, INT4RANGE, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dal import Database, Repository, orm
from dal.projection import Expr

SHELVES: Final = 40
BOOKS_EACH: Final = 2


class Base(orm.Base):
    """A registry of their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


class Even(TypeDecorator[int]):
    """Knows even numbers only, and says so itself."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        if value is not None and value % 2:
            raise ValueError("odd")
        return value


class Topic(Base):
    """What several shelves are about."""

    __tablename__ = "lookup_topic"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    shelves: Mapped[list[Shelf]] = relationship(order_by="Shelf.id", back_populates="topic")


class Shelf(Base):
    """Holds books."""

    __tablename__ = "lookup_shelf"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]
    topic_id: Mapped[int] = mapped_column(ForeignKey("lookup_topic.id"))

    topic: Mapped[Topic] = relationship(back_populates="shelves")
    books: Mapped[list[Book]] = relationship(order_by="Book.id")


class Book(Base):
    """Stands on a shelf."""

    __tablename__ = "lookup_book"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("lookup_shelf.id"), index=True)
    title: Mapped[str]


class Mood(enum.Enum):
    """An enumeration of the server's."""

    glad = "glad"
    sad = "sad"


class Padded(Base):
    """A key that the server fills up with blanks."""

    __tablename__ = "lookup_padded"
    key: Mapped[str] = mapped_column(CHAR(6), primary_key=True)
    name: Mapped[str]


class Folded(Base):
    """A key in whose letters the case makes no difference, where the server has such a type."""

    __tablename__ = "lookup_folded"
    key: Mapped[str] = mapped_column(CITEXT, primary_key=True)
    name: Mapped[str]


class Token(Base):
    """A UUID."""

    __tablename__ = "lookup_token"
    key: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class Price(Base):
    """A number with digits behind the point."""

    __tablename__ = "lookup_price"
    key: Mapped[Decimal] = mapped_column(Numeric(12, 2), primary_key=True)
    name: Mapped[str]


class Blob(Base):
    """Bytes."""

    __tablename__ = "lookup_blob"
    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    name: Mapped[str]


class Moment(Base):
    """A moment, in any time zone."""

    __tablename__ = "lookup_moment"
    key: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    name: Mapped[str]


class Feeling(Base):
    """An enumeration."""

    __tablename__ = "lookup_feeling"
    key: Mapped[Mood] = mapped_column(Enum(Mood, name="lookup_mood"), primary_key=True)
    name: Mapped[str]


class Span(Base):
    """A range, which the server writes in its own way."""

    __tablename__ = "lookup_span"
    key: Mapped[Range[int]] = mapped_column(INT4RANGE, primary_key=True)
    name: Mapped[str]


class Path(Base):
    """An array, which goes into no array."""

    __tablename__ = "lookup_path"
    key: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), primary_key=True)
    name: Mapped[str]


class Evens(Base):
    """A key that a decorator may refuse."""

    __tablename__ = "lookup_even"
    key: Mapped[int] = mapped_column(Even, primary_key=True)
    name: Mapped[str]


class Pair(Base):
    """A key of two columns."""

    __tablename__ = "lookup_pair"
    one: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Shelves(Repository[Shelf]):
    """Shelves."""


def repository(model: type[Any], db: Database) -> Repository[Any]:
    """Make a repository of any of the models."""
    return types.new_class(f"{model.__name__}s", (Repository[model],))(db)  # type: ignore[valid-type,no-any-return] # any


@dataclass
class Named:
    """What all of them have."""

    name: str


@dataclass
class BookCard:
    """A book by its title."""

    title: str


@dataclass
class TopicCard:
    """A topic, and which shelves are about it."""

    name: str
    shelves: list[Named]


@dataclass
class ShelfCard:
    """A shelf with its books."""

    id: int
    books: list[BookCard]


@dataclass
class ShelfAndTopic:
    """A shelf and its topic, which others have too."""

    id: int
    topic: TopicCard


@dataclass
class Counted:
    """How many rows the statement has."""

    rows: Annotated[int, Expr(func.count().over())]


@dataclass
class NumberedBook:
    """A book, and its number among those that are read with it."""

    number: Annotated[int, Expr(func.row_number().over(order_by=Book.id))]


@dataclass
class NumberedBooks:
    """A shelf, and its books by number."""

    books: list[NumberedBook]


@dataclass
class Aggregate:
    """Nothing but an aggregate, which there is of no row too."""

    rows: Annotated[int, Expr(func.count())]


@dataclass
class Highest:
    """An aggregate beside a column, which is grouped by."""

    id: int
    highest: Annotated[int, Expr(func.max(Shelf.id))]


@dataclass
class Picky:
    """Cannot be made of every row."""

    id: int
    name: str

    def __post_init__(self) -> None:
        if self.id == 7:
            raise ValueError("not seven")


async def create(db: Database) -> None:
    """Make all the tables, and fill those of the library."""
    async with db.engine.begin() as connection:
        has_citext = await connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'"))
        tables = [table for table in Base.metadata.sorted_tables if table.name != "lookup_folded" or has_citext]
        if has_citext:
            await connection.execute(text("CREATE EXTENSION citext"))
        await connection.run_sync(lambda sync: Base.metadata.create_all(sync, tables=tables))
        await connection.execute(text("INSERT INTO lookup_topic SELECT n, 'topic ' || n FROM generate_series(0, 3) n"))
        await connection.execute(
            text(f"INSERT INTO lookup_shelf SELECT n, 'shelf ' || n, n % 4 FROM generate_series(1, {SHELVES}) n")
        )
        await connection.execute(
            text(
                f"INSERT INTO lookup_book SELECT n, 1 + n % {SHELVES}, 'book ' || n "
                f"FROM generate_series(1, {SHELVES * BOOKS_EACH}) n"
            )
        )
