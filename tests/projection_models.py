"""Mapped classes of every kind that a projection can be planned on, and how their tables are made and emptied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, Table, and_, func, select
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    column_property,
    composite,
    mapped_column,
    relationship,
    synonym,
)

from dal import Database, Repository, UnitOfWork, orm

# Other names than those of the tests for writes: all the tests share one clone's template.
SCHEMA = 'CREATE SCHEMA "Far Away"'


class Base(DeclarativeBase):
    """Apart from other tests' classes of the same names."""

    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)
    type_annotation_map = orm.Base.type_annotation_map


async def create(db: Database) -> None:
    """Make all the tables."""
    await db.execute_script(SCHEMA)
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@dataclass(frozen=True)
class Address:
    """A value of two columns."""

    street: str | None
    town: str | None


friendship = Table(
    "pd_friendship",
    Base.metadata,
    Column("one_id", ForeignKey("pd_author.id"), primary_key=True),
    Column("other_id", ForeignKey("pd_author.id"), primary_key=True),
)
tagging = Table(
    "pd_tagging",
    Base.metadata,
    Column("book_id", ForeignKey("pd_book.id"), primary_key=True),
    Column("tag_id", ForeignKey("pd_tag.id"), primary_key=True),
    Column("position", Integer, nullable=False),
)
keeping = Table(
    "pd_keeping",
    Base.metadata,
    Column("room", primary_key=True),
    Column("number", primary_key=True),
    Column("author_id", ForeignKey("pd_author.id"), primary_key=True),
    ForeignKeyConstraint(["room", "number"], ["pd_shelf.room", "pd_shelf.number"]),
)


class Country(Base):
    """Has reserved words for names, in a schema that needs quotes."""

    __tablename__ = "select from"
    __table_args__ = {"schema": "Far Away"}  # noqa: RUF012 # SQLAlchemy declares it so

    key: Mapped[int] = mapped_column("Primary Key", primary_key=True, autoincrement=False)
    chosen: Mapped[str] = mapped_column("select")
    percent: Mapped[int | None] = mapped_column("100%")
    colon: Mapped[int | None] = mapped_column("a:b (c)")
    authors: Mapped[list[Author]] = relationship(back_populates="country")


class Author(Base):
    """Has most kinds of attributes, and is related to itself in three ways."""

    __tablename__ = "pd_author"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column()
    email: Mapped[str | None] = mapped_column(unique=True)
    born: Mapped[date | None] = mapped_column("Date of Birth")
    bio: Mapped[str | None] = mapped_column(deferred=True)
    street: Mapped[str | None]
    town: Mapped[str | None]
    fame: Mapped[int | None]
    country_key: Mapped[int | None] = mapped_column(ForeignKey(Country.key))
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("pd_author.id"))

    address: Mapped[Address] = composite("street", "town")
    shout: Mapped[str] = column_property(func.upper(name))
    called: Mapped[str] = synonym("name")

    country: Mapped[Country | None] = relationship(back_populates="authors")
    mentor: Mapped[Author | None] = relationship(remote_side="Author.id", back_populates="pupils")
    pupils: Mapped[list[Author]] = relationship(back_populates="mentor")
    friends: Mapped[list[Author]] = relationship(
        secondary=friendship,
        primaryjoin="Author.id == pd_friendship.c.one_id",
        secondaryjoin="Author.id == pd_friendship.c.other_id",
    )
    befriended: Mapped[list[Author]] = relationship(
        secondary=friendship,
        primaryjoin="Author.id == pd_friendship.c.other_id",
        secondaryjoin="Author.id == pd_friendship.c.one_id",
        viewonly=True,
        order_by=friendship.c.one_id,
    )
    profile: Mapped[Profile | None] = relationship(back_populates="author")
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.rating.desc(), Book.id")
    good_books: Mapped[list[Book]] = relationship(
        primaryjoin="and_(Author.id == Book.author_id, Book.rating > 2)", viewonly=True
    )
    old_books: DynamicMapped[Book] = relationship(viewonly=True)
    new_books: WriteOnlyMapped[Book] = relationship(viewonly=True)
    letters: Mapped[list[Letter]] = relationship(back_populates="author")
    shelves: Mapped[list[Shelf]] = relationship(secondary=keeping, back_populates="keepers")

    titles: AssociationProxy[list[str]] = association_proxy("books", "title")

    @hybrid_property
    def initial(self) -> str:
        return self.name[:1]

    @initial.inplace.expression
    @classmethod
    def _initial(cls) -> Any:
        return func.left(cls.name, 1)


class Profile(Base):
    """Is the one of its author."""

    __tablename__ = "pd_profile"

    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id), primary_key=True)
    text: Mapped[str | None]
    author: Mapped[Author] = relationship(back_populates="profile")


class Book(Base):
    """Is in the middle."""

    __tablename__ = "pd_book"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    rating: Mapped[int]
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id))

    author: Mapped[Author] = relationship(back_populates="books")
    tags: Mapped[list[Tag]] = relationship(
        secondary=tagging,
        back_populates="books",
        order_by=[tagging.c.position.desc(), tagging.c.tag_id],
    )
    first_tags: Mapped[list[Tag]] = relationship(
        secondary=tagging,
        primaryjoin=lambda: and_(Book.id == tagging.c.book_id, tagging.c.position < 3),
        order_by=[tagging.c.position, tagging.c.tag_id],
        viewonly=True,
    )


class Tag(Base):
    """Is on books."""

    __tablename__ = "pd_tag"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    word: Mapped[str | None]
    books: Mapped[list[Book]] = relationship(secondary=tagging, back_populates="tags")


class Letter(Base):
    """Belongs to its author by a key that is not the primary one."""

    __tablename__ = "pd_letter"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    email: Mapped[str | None] = mapped_column(ForeignKey(Author.email))
    weight: Mapped[int | None]
    author: Mapped[Author | None] = relationship(back_populates="letters")


class Shelf(Base):
    """Has a key of two columns."""

    __tablename__ = "pd_shelf"

    room: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str | None]
    items: Mapped[list[Item]] = relationship(back_populates="shelf")
    keepers: Mapped[list[Author]] = relationship(secondary=keeping, back_populates="shelves")


class Item(Base):
    """Refers to a key of two columns."""

    __tablename__ = "pd_item"
    __table_args__ = (ForeignKeyConstraint(["shelf_room", "shelf_number"], ["pd_shelf.room", "pd_shelf.number"]),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shelf_room: Mapped[str | None]
    shelf_number: Mapped[int | None]
    shelf: Mapped[Shelf | None] = relationship(back_populates="items")


class Company(Base):
    """Has staff, each with a table for its kind, and vehicles, all in one table."""

    __tablename__ = "pd_company"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    staff: Mapped[list[Staff]] = relationship(back_populates="company")
    engineers: Mapped[list[Engineer]] = relationship(viewonly=True)
    vehicles: Mapped[list[Vehicle]] = relationship(back_populates="company")
    cars: Mapped[list[Car]] = relationship(viewonly=True)


class Staff(Base):
    """The root of joined-table inheritance."""

    __tablename__ = "pd_staff"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "staff"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(info={"kinds": ["staff", "manager", "engineer"]})
    name: Mapped[str]
    company_id: Mapped[int | None] = mapped_column(ForeignKey(Company.id))
    company: Mapped[Company | None] = relationship(back_populates="staff")
    driven: Mapped[list[Vehicle]] = relationship(back_populates="driver")


class Manager(Staff):
    """Has engineers."""

    __tablename__ = "pd_manager"
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(ForeignKey(Staff.id), primary_key=True)
    budget: Mapped[int | None]
    engineers: Mapped[list[Engineer]] = relationship(back_populates="manager", foreign_keys="Engineer.manager_id")


class Engineer(Staff):
    """Has a manager."""

    __tablename__ = "pd_engineer"
    __mapper_args__ = {"polymorphic_identity": "engineer"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(ForeignKey(Staff.id), primary_key=True)
    skill: Mapped[int]
    manager_id: Mapped[int | None] = mapped_column(ForeignKey(Manager.id))
    manager: Mapped[Manager | None] = relationship(back_populates="engineers", foreign_keys=manager_id)


class Vehicle(Base):
    """The root of single-table inheritance."""

    __tablename__ = "pd_vehicle"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(info={"kinds": ["vehicle", "car"]})
    name: Mapped[str | None]
    company_id: Mapped[int | None] = mapped_column(ForeignKey(Company.id))
    driver_id: Mapped[int | None] = mapped_column(ForeignKey(Staff.id))
    towed_by_id: Mapped[int | None] = mapped_column(ForeignKey("pd_vehicle.id"))
    company: Mapped[Company | None] = relationship(back_populates="vehicles")
    driver: Mapped[Staff | None] = relationship(back_populates="driven")
    tow: Mapped[Car | None] = relationship(
        remote_side="Vehicle.id", primaryjoin="foreign(Vehicle.towed_by_id) == remote(Vehicle.id)", viewonly=True
    )


class Car(Vehicle):
    """Has no table of its own."""

    __mapper_args__ = {"polymorphic_identity": "car"}  # noqa: RUF012 # SQLAlchemy declares it so

    doors: Mapped[int | None]


# How many books an author has, which needs both classes.
Author.book_count = column_property(
    select(func.count(Book.id)).where(Book.author_id == Author.id).correlate_except(Book).scalar_subquery()
)

# The tables that have a row for each row of a kind in their parent.
KINDS = {"pd_manager": "manager", "pd_engineer": "engineer"}
CLASSES = [Country, Author, Profile, Book, Tag, Letter, Shelf, Item, Company, Staff, Manager, Engineer, Vehicle, Car]


def repository_of(model: Any) -> type[Repository[Any]]:
    """Make a repository for a class."""
    return type(f"{model.__name__}s", (Repository,), {"model": model})


class Authors(Repository[Author]): ...


class Books(Repository[Book]): ...


class Countries(Repository[Country]): ...


class Shelves(Repository[Shelf]): ...


class Companies(Repository[Company]): ...


class Library(UnitOfWork):
    """Some of them, in one transaction."""

    authors: Authors
    books: Books
    countries: Countries
    shelves: Shelves
    companies: Companies
