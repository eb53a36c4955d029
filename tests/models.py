"""Small tables of the tests' own, for what the shop has none of: every kind of constraint, and every type."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    literal_column,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSON, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dal import Repository, UnitOfWork, orm
from dal.versioned import Versioned


class Base(orm.Base):
    """A registry apart from the shop's."""

    __abstract__ = True
    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


class Account(Base):
    """Holds money, never less than none."""

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("balance >= 0", name="balance_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner: Mapped[str] = mapped_column(unique=True)
    balance: Mapped[int]


class Entry(Base):
    """Belongs to an account, which it always brings along."""

    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    note: Mapped[str]

    account: Mapped[Account] = relationship(lazy="selectin")


class Booking(Base):
    """Takes a room; no two at a time."""

    __tablename__ = "booking"
    __table_args__ = (ExcludeConstraint((literal_column("hours"), "&&"), name="booking_one_at_a_time"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    hours: Mapped[Range[int]] = mapped_column(INT4RANGE)


class Mood(enum.Enum):
    """An enumeration of the server's."""

    glad = "glad"
    sad = "sad"


class Everything(Base):
    """One column of each type that COPY writes."""

    __tablename__ = "everything"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    small: Mapped[int | None] = mapped_column(SmallInteger)
    whole: Mapped[int | None] = mapped_column(Integer)
    big: Mapped[int | None] = mapped_column(BigInteger)
    money: Mapped[Decimal | None] = mapped_column(Numeric(15, 2))
    number: Mapped[Decimal | None] = mapped_column(Numeric)
    single: Mapped[float | None] = mapped_column(Float(24))
    double: Mapped[float | None] = mapped_column(Float(53))
    words: Mapped[str | None]
    code: Mapped[str | None] = mapped_column(String(8))
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, name="mood"))
    flag: Mapped[bool | None]
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    wall_clock: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    hour: Mapped[time | None]
    lapse: Mapped[timedelta | None]
    key: Mapped[UUID | None]
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    document: Mapped[Any | None] = mapped_column(JSONB)
    letter: Mapped[Any | None] = mapped_column(JSON)


class Job(Base):
    """Is to be done once, by whoever comes first."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    priority: Mapped[int] = mapped_column(server_default="0", default=0)
    done: Mapped[bool] = mapped_column(default=False)


class JobDone(Base):
    """Says that a job was done; nothing but its worker's lock keeps a job from having two of these."""

    __tablename__ = "job_done"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[int]


class Folder(Versioned, Base):
    """Holds documents, whose lives end with it."""

    __tablename__ = "folder"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    documents: Mapped[list[Document]] = relationship(cascade="all, delete-orphan")


class Document(Versioned, Base):
    """Is edited by several people, and is of one of two kinds."""

    __tablename__ = "document"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "note"}  # noqa: RUF012 # as SQLAlchemy types it

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"), index=True)
    kind: Mapped[str]
    title: Mapped[str]


class Contract(Document):
    """Has a table of its own beside that of all documents."""

    __tablename__ = "contract"
    __mapper_args__ = {"polymorphic_identity": "contract"}  # noqa: RUF012 # see above

    id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    party: Mapped[str]


class Seat(Versioned, Base):
    """Has a key of two columns."""

    __tablename__ = "seat"

    row: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    guest: Mapped[str]


class Accounts(Repository[Account]):
    """Accounts."""


class Entries(Repository[Entry]):
    """Entries."""


class Bookings(Repository[Booking]):
    """Bookings."""


class Everythings(Repository[Everything]):
    """One of everything."""


class Documents(Repository[Document]):
    """Documents of both kinds."""


class Contracts(Repository[Contract]):
    """Contracts only."""


class Seats(Repository[Seat]):
    """Seats."""


class Folders(Repository[Folder]):
    """Folders."""


class Office(UnitOfWork):
    """Documents and what holds them, in one transaction."""

    folders: Folders
    documents: Documents
    contracts: Contracts
    seats: Seats
    accounts: Accounts


class Jobs(Repository[Job]):
    """Jobs."""


class Queue(UnitOfWork):
    """Jobs, in one transaction."""

    jobs: Jobs


class Bank(UnitOfWork):
    """Accounts and what belongs to them, in one transaction."""

    accounts: Accounts
    entries: Entries
    everythings: Everythings
