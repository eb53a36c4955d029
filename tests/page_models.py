"""Tables for pages: NULLs and duplicates, every kind of unique key, one column of each type that has an order."""

from __future__ import annotations

import enum
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CHAR,
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Time,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    func,
    select,
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
    JSONB,
    MACADDR,
    NUMRANGE,
    TSVECTOR,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship
from sqlalchemy.types import UserDefinedType

from dal import Database, Repository, UnitOfWork, orm

SCRIPT: Final = """
    CREATE SCHEMA "Far Off";
    CREATE TYPE page_pair AS (a int, b text);
"""


class Base(orm.Base):
    """A registry of their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


async def create(db: Database) -> None:
    """Make all the tables."""
    await db.execute_script(SCRIPT)
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


class Note(Base):
    """Belongs to a reading."""

    __tablename__ = "page_note"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reading_id: Mapped[int] = mapped_column(ForeignKey("page_reading.id"))


class Reading(Base):
    """Has NULLs and duplicates in every column that may have them."""

    __tablename__ = "page_reading"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    whole: Mapped[int]
    level: Mapped[int | None]
    word: Mapped[str | None]
    share: Mapped[float | None] = mapped_column(REAL)
    flag: Mapped[bool]
    notes: Mapped[list[Note]] = relationship(order_by="Note.id")
    noted: Mapped[int] = column_property(
        select(func.count(Note.id)).where(Note.reading_id == id).correlate_except(Note).scalar_subquery()  # noqa: A003 # the column above
    )


class Post(Base):
    """Has the indexes that pages read."""

    __tablename__ = "page_post"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rank: Mapped[int]
    score: Mapped[int]

    __table_args__ = (
        Index("ix_page_post_rank", "rank", "id"),
        Index("ix_page_post_mixed", text("rank DESC"), "score", "id"),
        Index("ix_page_post_score", text("score DESC"), text("rank DESC"), text("id DESC")),
    )


class Keyed(Base):
    """Has unique keys of every kind."""

    __tablename__ = "page_keyed"
    __table_args__ = (
        UniqueConstraint("one", "two"),
        UniqueConstraint("late", deferrable=True),
        Index("ix_page_keyed_login", "login", unique=True),
        Index("ix_page_keyed_part", "part", unique=True, postgresql_where=text("one > 0")),
        Index("ix_page_keyed_low", func.lower(text("low")), unique=True),
    )

    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    second: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    one: Mapped[int]
    two: Mapped[int]
    login: Mapped[str]
    part: Mapped[str]
    low: Mapped[str]
    late: Mapped[int]
    mail: Mapped[str | None] = mapped_column(unique=True)


class Beast(Base):
    """The root of an inheritance of both kinds."""

    __tablename__ = "page_beast"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "beast"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    name: Mapped[str]


class Hound(Beast):
    """Has no table of its own."""

    __mapper_args__ = {"polymorphic_identity": "hound"}  # noqa: RUF012 # SQLAlchemy declares it so


class Tom(Beast):
    """Has a table of its own."""

    __tablename__ = "page_tom"
    __mapper_args__ = {"polymorphic_identity": "tom"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(ForeignKey(Beast.id), primary_key=True)
    lives: Mapped[int]


class Hue(enum.Enum):
    red = "red"
    blue = "blue"


class Shouted(TypeDecorator[str]):
    """Text that is shouted in Python, and turned around on its way in."""

    impl = String(4)
    cache_ok = True

    def process_result_value(self, value, dialect):
        return None if value is None else f"{value}!"

    def bind_expression(self, bindparam):
        return func.reverse(bindparam)

    def column_expression(self, column):
        return func.upper(column)


class Pair(UserDefinedType[Any]):
    """A composite type of the server's."""

    cache_ok = True

    def get_col_spec(self, **_):
        return "page_pair"


def _nullable(type_: Any) -> Any:
    return mapped_column(type_, nullable=True)


class Kind(Base):
    """One column of each type that has an order."""

    __tablename__ = "page_kind"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    small: Mapped[Any] = _nullable(SmallInteger)
    whole: Mapped[Any] = _nullable(Integer)
    big: Mapped[Any] = _nullable(BigInteger)
    money: Mapped[Any] = _nullable(Numeric(15, 2))
    number: Mapped[Any] = _nullable(Numeric)
    single: Mapped[Any] = _nullable(REAL)
    short: Mapped[Any] = _nullable(Float(24))
    double: Mapped[Any] = _nullable(Float)
    words: Mapped[str | None]
    code: Mapped[Any] = _nullable(String(4))
    fixed: Mapped[Any] = _nullable(CHAR(4))
    collated: Mapped[Any] = _nullable(String(collation="ucs_basic"))
    hue: Mapped[Any] = _nullable(Enum(Hue, name="page_hue", schema="Far Off"))
    word: Mapped[Any] = _nullable(Enum("a", "b", native_enum=False))
    flag: Mapped[Any] = _nullable(Boolean)
    day: Mapped[Any] = _nullable(Date)
    moment: Mapped[Any] = _nullable(DateTime(timezone=True))
    wall: Mapped[Any] = _nullable(DateTime)
    hour: Mapped[Any] = _nullable(Time)
    zoned: Mapped[Any] = _nullable(Time(timezone=True))
    lapse: Mapped[Any] = _nullable(Interval)
    span: Mapped[Any] = _nullable(INTERVAL(fields="YEAR TO MONTH"))
    key: Mapped[Any] = _nullable(Uuid)
    old_key: Mapped[Any] = _nullable(Uuid(native_uuid=False))
    raw: Mapped[Any] = _nullable(LargeBinary)
    document: Mapped[Any] = _nullable(JSONB)
    host: Mapped[Any] = _nullable(INET)
    net: Mapped[Any] = _nullable(CIDR)
    card: Mapped[Any] = _nullable(MACADDR)
    bits: Mapped[Any] = _nullable(BIT(4))
    more_bits: Mapped[Any] = _nullable(BIT(varying=True))
    lexemes: Mapped[Any] = _nullable(TSVECTOR)
    hours: Mapped[Any] = _nullable(INT4RANGE)
    prices: Mapped[Any] = _nullable(NUMRANGE)
    shifts: Mapped[Any] = _nullable(INT4MULTIRANGE)
    numbers: Mapped[Any] = _nullable(ARRAY(Integer))
    names: Mapped[Any] = _nullable(ARRAY(CHAR(2)))
    hues: Mapped[Any] = _nullable(ARRAY(Enum(Hue, name="page_hue", schema="Far Off")))
    pair: Mapped[Any] = _nullable(Pair)
    shouted: Mapped[Any] = _nullable(Shouted)
    even: Mapped[Any] = _nullable(DOMAIN("page_even", Integer, check=text("value % 2 = 0")))
    title: Mapped[Any] = _nullable(DOMAIN("page_title", String(4)))


# As SQL has them; the ends of each type, and what its text might lose.
VALUES: Final[dict[str, tuple[str, ...]]] = {
    "small": ("-32768", "5", "32767"),
    "whole": ("-2147483648", "7", "2147483647"),
    "big": ("-9223372036854775808", "9223372036854775807"),
    "money": ("-0.01", "0.10", "9999999999999.99"),
    "number": ("-Infinity", "1e-30", "3.00000", "1e100", "NaN"),
    "single": ("-Infinity", "-0", "0.1", "16777217", "1.17549435e-38", "NaN"),
    "short": ("0.1", "0.2", "0.3"),
    "double": ("-Infinity", "5e-324", "0.30000000000000004", "0.3", "1e300", "NaN"),
    "words": ("", " ", "a", "A", "ä", 'it\'s \\ "so"', "%s $1 :x", "\x01\n", "😀", "NULL"),
    "code": ("abcd", "abc", "ab"),
    "fixed": ("ab", "ab c", "a", "  "),
    "collated": ("ä", "a", "z", "B"),
    "hue": ("blue", "red"),
    "word": ("b", "a"),
    "flag": ("t", "f"),
    "day": ("0044-03-15 BC", "2026-02-03", "12026-01-01", "infinity", "-infinity"),
    "moment": ("0044-03-15 10:00+00 BC", "1800-01-01 00:00+00", "2026-10-25 02:30:00.000001+02", "2026-10-25 02:30+01"),
    "wall": ("0044-03-15 10:00 BC", "2026-02-03 01:02:03.000001", "infinity", "-infinity"),
    "hour": ("00:00", "01:02:03.000004", "24:00"),
    "zoned": ("01:02:03.000004+05:30:15", "24:00-11", "01:02:03-07"),
    "lapse": ("P-2Y1M", "P1M-1DT2H", "PT-0.000001S", "P-1DT-1S", "P3DT-1S", "P1Y-3DT-4H", "P0D", "P1M", "P30D"),
    "span": ("P-2Y1M", "P1M", "P13M"),
    "key": ("00000000-0000-0000-0000-000000000001", "ffffffff-0000-0000-0000-000000000000"),
    "old_key": ("00000000000000000000000000000001", "ffffffff000000000000000000000000"),
    "raw": ("\\x", "\\x00ff5c27", "\\x00"),
    "document": ("null", "1.50", '{"a": [1, null]}', '"x"'),
    "host": ("10.0.0.1/8", "10.0.0.1", "::1"),
    "net": ("10.0.0.0/24", "10.0.0.0/8"),
    "card": ("08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    "bits": ("0001", "1000"),
    "more_bits": ("1", "10", "011"),
    "lexemes": ("'a':1A 'it''s'", "", "'b'"),
    "hours": ("[1,5)", "empty", "(,3)", "[2,)"),
    "prices": ("[1.50,5)", "(1.5,5.00]"),
    "shifts": ("{[1,5),[7,9)}", "{}"),
    "numbers": ("{1,NULL,3}", "[2:3]={1,2}", "{}", "{1}"),
    "names": ("{a,NULL}", '{"NU"," b"}'),
    "hues": ("{red,blue}", "{}"),
    "pair": ("(1,x)", '(1,"a,b")', "(,)"),
    "shouted": ("ab", "Ba", "c"),
    "even": ("2", "-4"),
    "title": ("abcd", "a"),
}


class Readings(Repository[Reading]): ...


class Notes(Repository[Note]): ...


class Posts(Repository[Post]): ...


class Beasts(Repository[Beast]): ...


class Hounds(Repository[Hound]): ...


class Toms(Repository[Tom]): ...


class Kinds(Repository[Kind]): ...


class Measures(UnitOfWork):
    """Readings, in one transaction."""

    readings: Readings
