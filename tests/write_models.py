"""Tables for writes in sets: every type, every kind of key, names that need quotes, defaults of every kind."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Interface, IPv4Network
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    Computed,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    PickleType,
    Sequence,
    SmallInteger,
    String,
    Text,
    Time,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIT,
    CIDR,
    DOMAIN,
    INET,
    INT4MULTIRANGE,
    INT4RANGE,
    INTERVAL,
    JSON,
    JSONB,
    MACADDR,
    TSTZRANGE,
    TSVECTOR,
    ExcludeConstraint,
    Range,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import UserDefinedType

from dal import Database, Repository, UnitOfWork, orm

SCRIPT = """
    CREATE SCHEMA "Other Place";
    CREATE TYPE pair AS (a int, b text);
    CREATE TYPE "Colour Of" AS ENUM ('red', 'it''s');
"""
_numbers = count(1)


async def create(db: Database) -> None:
    """Make all the tables."""
    await db.execute_script(SCRIPT)
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


class Base(orm.Base):
    """A registry of their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


class Colour(enum.Enum):
    red = "red"
    its = "it's"


# Its labels are the values, one of which needs quotes.
COLOUR = Enum(Colour, name="Colour Of", create_type=False, values_callable=lambda each: [it.value for it in each])


class Lower(TypeDecorator[str]):
    """Text that is lowered on its way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else value.lower()


class Wrapped(TypeDecorator[str]):
    """Text that the server turns around on its way in."""

    impl = Text
    cache_ok = True

    def bind_expression(self, bindparam):
        return func.reverse(bindparam)


class Pair(UserDefinedType[tuple[int, str]]):
    """A composite type of the server's."""

    cache_ok = True

    def get_col_spec(self, **_):
        return "pair"


class Odd(Base):
    """One column of each type that is written in sets."""

    __tablename__ = "odd"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    small: Mapped[Any] = mapped_column(SmallInteger, nullable=True)
    money: Mapped[Any] = mapped_column(Numeric(15, 2), nullable=True)
    single: Mapped[Any] = mapped_column(Float(24), nullable=True)
    code: Mapped[Any] = mapped_column(String(4), nullable=True)
    fixed: Mapped[Any] = mapped_column(CHAR(4), nullable=True)
    colour: Mapped[Any] = mapped_column(COLOUR, nullable=True)
    word: Mapped[Any] = mapped_column(Enum("a", "b", native_enum=False), nullable=True)
    flag: Mapped[bool | None]
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    second: Mapped[Any] = mapped_column(DateTime(timezone=False), nullable=True)
    hour: Mapped[time | None]
    zoned: Mapped[Any] = mapped_column(Time(timezone=True), nullable=True)
    lapse: Mapped[Any] = mapped_column(Interval, nullable=True)
    span: Mapped[Any] = mapped_column(INTERVAL, nullable=True)
    key: Mapped[UUID | None]
    hex: Mapped[Any] = mapped_column(Uuid(as_uuid=False), nullable=True)
    old_key: Mapped[Any] = mapped_column(Uuid(native_uuid=False), nullable=True)
    raw: Mapped[Any] = mapped_column(LargeBinary, nullable=True)
    pickled: Mapped[Any] = mapped_column(PickleType, nullable=True)
    document: Mapped[Any] = mapped_column(JSONB, nullable=True)
    letter: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    host: Mapped[Any] = mapped_column(INET, nullable=True)
    net: Mapped[Any] = mapped_column(CIDR, nullable=True)
    card: Mapped[Any] = mapped_column(MACADDR, nullable=True)
    bits: Mapped[Any] = mapped_column(BIT(4), nullable=True)
    hours: Mapped[Any] = mapped_column(INT4RANGE, nullable=True)
    period: Mapped[Any] = mapped_column(TSTZRANGE, nullable=True)
    words: Mapped[Any] = mapped_column(TSVECTOR, nullable=True)
    lower: Mapped[Any] = mapped_column(Lower, nullable=True)
    wrapped: Mapped[Any] = mapped_column(Wrapped, nullable=True)
    even: Mapped[Any] = mapped_column(DOMAIN("even", Integer, check=text("value % 2 = 0")), nullable=True)


class Nested(Base):
    """One column of each type that is no array's element."""

    __tablename__ = "nested"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    numbers: Mapped[Any] = mapped_column(ARRAY(Integer), nullable=True)
    names: Mapped[Any] = mapped_column(ARRAY(String(4)), nullable=True)
    fixed: Mapped[Any] = mapped_column(ARRAY(CHAR(3)), nullable=True)
    matrix: Mapped[Any] = mapped_column(ARRAY(Integer, dimensions=2), nullable=True)
    colours: Mapped[Any] = mapped_column(ARRAY(COLOUR), nullable=True)
    hours: Mapped[Any] = mapped_column(INT4MULTIRANGE, nullable=True)
    ranges: Mapped[Any] = mapped_column(ARRAY(INT4RANGE), nullable=True)
    pair: Mapped[Any] = mapped_column(Pair, nullable=True)
    note: Mapped[str | None]


class Quoted(Base):
    """Has names that need quotes, in a schema that does, and attributes with other names than their columns."""

    __tablename__ = "order by"
    __table_args__ = (UniqueConstraint("select", name="uq select"), {"schema": "Other Place"})

    key: Mapped[int] = mapped_column("Primary Key", primary_key=True, autoincrement=False)
    chosen: Mapped[str] = mapped_column("select")
    percent: Mapped[int] = mapped_column("100%", default=1)


class Filled(Base):
    """Is filled in by the mapping and by the server."""

    __tablename__ = "filled"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    scalar: Mapped[int] = mapped_column(default=7)
    called: Mapped[int] = mapped_column(default=lambda: next(_numbers))
    contextual: Mapped[str] = mapped_column(default=lambda context: context.get_current_parameters()["name"] + "!")
    inlined: Mapped[str] = mapped_column(default=func.upper("sql"))
    number: Mapped[int] = mapped_column(Integer, Sequence("filled_number"))
    server: Mapped[str] = mapped_column(server_default="server's")
    computed: Mapped[str] = mapped_column(Text, Computed("name || '?'", persisted=True))
    touched: Mapped[str] = mapped_column(default="new", onupdate=lambda: f"touched {next(_numbers)}")
    changed: Mapped[datetime | None] = mapped_column(onupdate=func.now())


class Seat(Base):
    """Has a composite key and rows that go with it."""

    __tablename__ = "place"

    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    guest: Mapped[str | None]


class Price(Base):
    """Has a key that the server compares."""

    __tablename__ = "price"

    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2), primary_key=True)
    note: Mapped[str]


class Member(Base):
    """Has unique keys of every kind: nullable, partial, by expression, exclusion."""

    __tablename__ = "member"
    __table_args__ = (
        Index("ix_member_login", "login", unique=True, postgresql_where=text("gone IS NULL")),
        Index("ix_member_name", func.lower(text("name")), unique=True),
        ExcludeConstraint(("hours", "&&"), name="ex_member_hours"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    login: Mapped[str | None]
    gone: Mapped[date | None]
    name: Mapped[str | None]
    hours: Mapped[Any] = mapped_column(INT4RANGE, nullable=True)
    rank: Mapped[int] = mapped_column(default=0)


class Nick(Base):
    """Has a key in which NULL is a value like others."""

    __tablename__ = "nick"
    __table_args__ = (UniqueConstraint("nick", postgresql_nulls_not_distinct=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    nick: Mapped[str | None]
    rank: Mapped[int]


class Double(Base):
    """Has the names of `Nick`'s columns, with other types."""

    __tablename__ = "double"

    id: Mapped[str] = mapped_column(primary_key=True)
    nick: Mapped[int]
    rank: Mapped[str]


class Tint(Base):
    """Has an enum for its key."""

    __tablename__ = "tint"

    colour: Mapped[Colour] = mapped_column(COLOUR, primary_key=True)
    note: Mapped[str]


class Piece(Base):
    """Is partitioned, with a partition whose columns are in another order."""

    __tablename__ = "piece"
    __table_args__ = {"postgresql_partition_by": "LIST (kind)"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]


class Animal(Base):
    """The root of single-table inheritance."""

    __tablename__ = "animal"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    name: Mapped[str]


class Dog(Animal):
    """Has no table of its own."""

    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012 # SQLAlchemy declares it so


class Cat(Animal):
    """Has a table of its own beside the animals'."""

    __tablename__ = "cat"
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(ForeignKey(Animal.id), primary_key=True)
    lives: Mapped[int]


class Counted(Base):
    """Counts its versions."""

    __tablename__ = "counted"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 # SQLAlchemy declares it so


class Room(Base):
    """Belongs to a house."""

    __tablename__ = "room"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    house_id: Mapped[int] = mapped_column(ForeignKey("house.id"))
    house: Mapped[House] = relationship()


class House(Base):
    """Has rooms."""

    __tablename__ = "house"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Strict(Base):
    """Takes no key but the server's."""

    __tablename__ = "strict"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)


class Stricts(Repository[Strict]): ...


class Odds(Repository[Odd]): ...


class Nesteds(Repository[Nested]): ...


class Quoteds(Repository[Quoted]): ...


class Filleds(Repository[Filled]): ...


class Seats(Repository[Seat]): ...


class Prices(Repository[Price]): ...


class Members(Repository[Member]): ...


class Nicks(Repository[Nick]): ...


class Doubles(Repository[Double]): ...


class Tints(Repository[Tint]): ...


class Pieces(Repository[Piece]): ...


class Animals(Repository[Animal]): ...


class Dogs(Repository[Dog]): ...


class Cats(Repository[Cat]): ...


class Counteds(Repository[Counted]): ...


class Rooms(Repository[Room]): ...


class Writes(UnitOfWork):
    """Some of them, in one transaction."""

    filleds: Filleds
    seats: Seats
    members: Members
    counteds: Counteds
    rooms: Rooms
    tints: Tints


ODD = {
    "small": -5,
    "money": Decimal("12.34"),
    "single": 0.5,
    "code": "abcd",
    "fixed": "ab  ",
    "colour": Colour.its,
    "word": "b",
    "flag": True,
    "day": date(2026, 2, 3),
    "hour": time(1, 2, 3, 4),
    "lapse": timedelta(days=-1, microseconds=5),
    "span": timedelta(hours=30),
    "key": UUID(int=5),
    "hex": str(UUID(int=6)),
    "old_key": UUID(int=7),
    "raw": b"\x00\xff",
    "pickled": {"a": [1]},
    "document": {"a": [1, None]},
    "letter": [1, "x"],
    "host": IPv4Interface("10.0.0.1/8"),
    "net": IPv4Network("10.0.0.0/24"),
    "card": "08:00:2b:01:02:03",
    "hours": Range(1, 5),
    "words": "'a' 'b'",
    "lower": "loud",
    "even": 4,
}
NESTED = {
    "numbers": [1, None, 3],
    "names": ["a", None, "it's"],
    "fixed": ["abc", "d  "],
    "matrix": [[1, 2], [3, 4]],
    "colours": [Colour.red, Colour.its],
    "hours": [Range(1, 5), Range(7, 9)],
    "ranges": [Range(1, 5), None],
    "pair": (1, "x"),
    "note": "beside",
}
