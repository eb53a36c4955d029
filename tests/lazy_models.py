"""Shelves of books with readers, for lazy loads in every mode."""

from __future__ import annotations

import sys
from typing import ClassVar

from sqlalchemy import ForeignKey, MetaData, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, configure_mappers, mapped_column, relationship

from dal import Database, Lazy, Repository, UnitOfWork, orm


class Base(orm.AwaitableAttrs, DeclarativeBase):
    """A registry of their own."""

    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


class Hall(Base):
    """Has shelves."""

    __tablename__ = "lazy_hall"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    history: Mapped[str] = mapped_column(deferred=True, server_default="long")
    shelves: Mapped[list[Shelf]] = relationship(back_populates="hall", order_by="Shelf.id")
    doors: Mapped[list[Door]] = relationship(
        order_by="Door.id", cascade="all, delete-orphan", info={"dal_lazy": "raise"}
    )


class Shelf(Base):
    """Stands in a hall, and has books."""

    __tablename__ = "lazy_shelf"

    id: Mapped[int] = mapped_column(primary_key=True)
    hall_id: Mapped[int] = mapped_column(ForeignKey("lazy_hall.id"))
    hall: Mapped[Hall] = relationship(back_populates="shelves")
    books: Mapped[list[Book]] = relationship(back_populates="shelf", order_by="Book.id")


class Book(Base):
    """Stands on a shelf."""

    __tablename__ = "lazy_book"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("lazy_shelf.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="books")


class Door(Base):
    """Leads to a hall."""

    __tablename__ = "lazy_door"

    id: Mapped[int] = mapped_column(primary_key=True)
    hall_id: Mapped[int] = mapped_column(ForeignKey("lazy_hall.id"))


configure_mappers()


class Halls(Repository[Hall]):
    """As the database says."""


class StrictHalls(Repository[Hall]):
    """Loads nothing that was not asked for."""

    lazy: ClassVar[Lazy | None] = "raise"


class Shelves(Repository[Shelf]):
    """Shelves."""


class Library(UnitOfWork):
    """One transaction."""

    halls: Halls
    strict: StrictHalls
    shelves: Shelves


# Whether lazy loads go without SQLAlchemy's private parts.
IS_PUBLIC = sys.modules.get("dal.loading.strategies", ...) is None

# Halls, and of each the shelves, books of each shelf, and doors.
HALLS, EACH = 4, 2


async def create(db: Database) -> None:
    """Make the tables, and fill them: what belongs to a hall has numbers that begin with its own."""
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        numbers = range(1, HALLS + 1)
        each = range(EACH)
        shelves = [{"id": hall * 10 + n, "hall_id": hall} for hall in numbers for n in each]
        await connection.execute(insert(Hall), [{"id": hall, "name": f"hall {hall}"} for hall in numbers])
        await connection.execute(insert(Shelf), shelves)
        await connection.execute(
            insert(Book), [{"id": s["id"] * 10 + n, "shelf_id": s["id"]} for s in shelves for n in each]
        )
        await connection.execute(insert(Door), [{"id": hall * 10, "hall_id": hall} for hall in numbers])
