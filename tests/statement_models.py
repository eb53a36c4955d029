"""Writers and their novels, to be read one by one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ForeignKey, MetaData, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dal import Database, Repository, UnitOfWork, orm

WRITERS = 30


class Base(orm.Base):
    """A registry of their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


class Writer(Base):
    """Somebody with novels."""

    __tablename__ = "log_writer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    novels: Mapped[list[Novel]] = relationship(back_populates="writer")


class Novel(Base):
    """Belongs to a writer."""

    __tablename__ = "log_novel"

    id: Mapped[int] = mapped_column(primary_key=True)
    writer_id: Mapped[int] = mapped_column(ForeignKey("log_writer.id"))
    writer: Mapped[Writer] = relationship(back_populates="novels")


class Writers(Repository[Writer]):
    """All writers."""


class Novels(Repository[Novel]):
    """All novels."""


class Press(UnitOfWork):
    """Both, in one transaction."""

    writers: Writers
    novels: Novels


@dataclass
class Title:
    """A novel by its number."""

    id: int


@dataclass
class WriterCard:
    """A writer with his novels."""

    name: str
    novels: list[Title]


@dataclass
class Name:
    """A writer without."""

    name: str


async def create(db: Database) -> None:
    """Make the tables, with two novels for each writer."""
    async with db.writing() as session:
        await (await session.connection()).run_sync(Base.metadata.create_all)
        await session.execute(
            text(f"INSERT INTO log_writer SELECT n, 'writer ' || n FROM generate_series(1, {WRITERS}) n")  # a number
        )
        await session.execute(
            text(f"INSERT INTO log_novel SELECT n, (n + 1) / 2 FROM generate_series(1, {2 * WRITERS}) n")  # a number
        )
