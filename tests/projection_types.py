"""One column of every type that PostgreSQL has and a mapping can name, and tables whose keys are of those types."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIT,
    CIDR,
    CITEXT,
    DATERANGE,
    DOMAIN,
    HSTORE,
    INET,
    INT4MULTIRANGE,
    INT4RANGE,
    JSON,
    JSONB,
    MACADDR,
    NUMRANGE,
    TSTZRANGE,
    TSVECTOR,
    VARCHAR,
    BitString,
    Range,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.sql.operators import OperatorClass
from sqlalchemy.types import UserDefinedType

from dal import Database, orm

SCRIPT = """
    CREATE EXTENSION IF NOT EXISTS hstore;
    CREATE EXTENSION IF NOT EXISTS citext;
    CREATE TYPE pt_pair AS (a int, b text);
"""


class Base(DeclarativeBase):
    """Apart from other tests' classes of the same names."""

    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)
    type_annotation_map = orm.Base.type_annotation_map


async def create(db: Database) -> None:
    """Make all the tables; connections that were open before know nothing of the extensions' types."""
    await db.execute_script(SCRIPT)
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all, checkfirst=False)


class Colour(enum.Enum):
    """Has values that are not its names."""

    red = "the red"
    blue = "it's blue"


class Money(TypeDecorator[int]):
    """Cents in Python, a numeric in the server."""

    impl = Numeric(12, 2)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else Decimal(value) / 100

    def process_result_value(self, value, dialect):
        return None if value is None else int(value * 100)


class Shouted(TypeDecorator[str]):
    """Upper case in Python, lower case in the server; NULL is the empty text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value.lower() if value else None

    def process_result_value(self, value, dialect):
        return (value or "").upper()


class Reversed(TypeDecorator[str]):
    """Turned around by the server, on its way in and out."""

    impl = Text
    cache_ok = True

    def bind_expression(self, bindparam):
        from sqlalchemy import func

        return func.reverse(bindparam)

    def column_expression(self, column):
        from sqlalchemy import func

        return func.reverse(column)


class Domain(DOMAIN):
    """SQLAlchemy's own, without its warning that it does not know yet what may be compared."""

    operator_classes = OperatorClass.ANY


class Pair(UserDefinedType[Any]):
    """A composite type of the server's."""

    cache_ok = True

    def get_col_spec(self, **_):
        return "pt_pair"


NATIVE = Enum(Colour, name="pt_colour", values_callable=lambda kind: [each.value for each in kind])
NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=UTC)
INFINITY = float("inf")

# A type, and values that it has to keep.
TYPES: dict[str, tuple[Any, list[Any]]] = {
    "smallint": (SmallInteger, [-32768, 0]),
    "integer": (Integer, [-(2**31), 2**31 - 1]),
    "bigint": (BigInteger, [-(2**63), 2**63 - 1]),
    "boolean": (Boolean, [True, False]),
    "numeric": (Numeric, [Decimal("1.10"), Decimal("-0.000000000000000000001"), Decimal("NaN")]),
    "numeric_scale": (Numeric(10, 3), [Decimal("1.100"), Decimal("-1234567.891")]),
    "numeric_float": (Numeric(10, 3, asdecimal=False), [1.125, -2.0]),
    "float4": (Float(24), [0.5, -INFINITY]),
    "float8": (Double, [0.1, 1e308, INFINITY]),
    "float_decimal": (Float(53, asdecimal=True, decimal_return_scale=4), [Decimal("0.1250")]),
    "text": (Text, ["", "é\n'\\%s", "x" * 3000]),
    "varchar": (VARCHAR(8), ["abc"]),
    "char": (CHAR(5), ["ab   "]),
    "bytea": (LargeBinary, [b"", b"\x00\xff"]),
    "date": (Date, [date(1, 1, 1), date(9999, 12, 31)]),
    "timestamptz": (DateTime(timezone=True), [NOON, NOON + timedelta(days=200)]),
    "timestamp": (DateTime(timezone=False), [NOON.replace(tzinfo=None)]),
    "time": (Time, [time(23, 59, 59, 999999)]),
    "timetz": (Time(timezone=True), [time(1, 2, 3, tzinfo=UTC)]),
    "interval": (Interval, [timedelta(days=-1, microseconds=5)]),
    "uuid": (Uuid, [UUID(int=0), UUID(int=2**128 - 1)]),
    "uuid_text": (Uuid(as_uuid=False), [str(UUID(int=5))]),
    "uuid_char": (Uuid(native_uuid=False), [UUID(int=7)]),
    "inet": (INET, [IPv4Address("10.0.0.1"), IPv6Address("::1")]),
    "cidr": (CIDR, [IPv4Network("10.0.0.0/24")]),
    "macaddr": (MACADDR, ["08:00:2b:01:02:03"]),
    "bit": (BIT(4), [BitString("1010")]),
    "jsonb": (JSONB, [{"a": [1, None, {"é": 1.5}]}, [], "text", 0, None]),
    "json": (JSON, [{"b": 1, "a": 2}, [[]], False, None]),
    "jsonb_null": (JSONB(none_as_null=True), [{"a": None}]),
    "enum": (NATIVE, list(Colour)),
    "enum_text": (Enum(Colour, native_enum=False), list(Colour)),
    "words": (Enum("one", "two", name="pt_words"), ["one", "two"]),
    "int_array": (ARRAY(Integer), [[], [1, None, 3]]),
    "text_array": (ARRAY(Text), [["", None, "{a,b}", '"']]),
    "matrix": (ARRAY(Integer, dimensions=2), [[[1, 2], [3, None]]]),
    "enum_array": (ARRAY(NATIVE), [[Colour.red, None], []]),
    "tuple_array": (ARRAY(Integer, as_tuple=True), [(1, 2)]),
    "money_array": (ARRAY(Money), [[110, None]]),
    "range_array": (ARRAY(INT4RANGE), [[Range(1, 5), None]]),
    "jsonb_array": (ARRAY(JSONB), [[{"a": 1}, [2]]]),
    "int4range": (INT4RANGE, [Range(1, 5), Range(None, 3), Range(empty=True)]),
    "numrange": (NUMRANGE, [Range(Decimal("1.5"), None, bounds="[)")]),
    "daterange": (DATERANGE, [Range(date(2026, 1, 1), date(2026, 2, 1))]),
    "tstzrange": (TSTZRANGE, [Range(NOON, None)]),
    "multirange": (INT4MULTIRANGE, [[Range(1, 5), Range(7, 9)], []]),
    "domain": (Domain("pt_even", Integer, check=text("value % 2 = 0")), [4]),
    "domain_text": (Domain("pt_name", Text), ["x"]),
    "composite": (Pair, [(1, "x"), (None, None)]),
    "hstore": (HSTORE, [{"a": "1", "b": None}, {}]),
    "citext": (CITEXT, ["aB"]),
    "tsvector": (TSVECTOR, ["'a' 'b'"]),
    "money": (Money, [110, -5]),
    "shouted": (Shouted, ["LOUD"]),
    "reversed": (Reversed, ["abc"]),
}


def _is_one_of(kind: dict[str, Any]) -> dict[str, Any]:
    return {name: mapped_column(f"pt {name}", each, nullable=True) for name, (each, _) in TYPES.items()} | kind


Kinds: Any = type(
    "Kinds",
    (Base,),
    _is_one_of(
        {
            "__tablename__": "pt_kinds",
            "__module__": __name__,
            "id": mapped_column(Integer, primary_key=True, autoincrement=False),
            "parent_id": mapped_column(Integer, ForeignKey("pt_kinds.id"), nullable=True),
            "parent": relationship("Kinds", remote_side="Kinds.id", back_populates="children"),
            "children": relationship("Kinds", back_populates="parent", order_by="Kinds.id"),
        }
    ),
)

# Types that are keys, with two values each, and how the second table spells them if otherwise.
KEYS: dict[str, tuple[Any, list[Any]]] = {
    "bigint": (BigInteger, [2**62, -1]),
    "uuid": (Uuid, [UUID(int=1), UUID(int=2)]),
    "uuid_text": (Uuid(as_uuid=False), [str(UUID(int=1)), str(UUID(int=2))]),
    "uuid_char": (Uuid(native_uuid=False), [UUID(int=1), UUID(int=2)]),
    "text": (Text, ["", "é'"]),
    "varchar": (String(9), ["a", "b"]),
    "char": (CHAR(5), ["ab   ", "b    "]),
    "enum": (NATIVE, list(Colour)),
    "enum_text": (Enum(Colour, native_enum=False, length=9), list(Colour)),
    "words": (Enum("one", "two", name="pt_words"), ["one", "two"]),
    "domain": (Domain("pt_even", Integer, check=text("value % 2 = 0")), [2, 4]),
    "domain_text": (Domain("pt_name", Text), ["x", "y"]),
    "citext": (CITEXT, ["aB", "c"]),
    "numeric": (Numeric(12, 2), [Decimal("1.50"), Decimal("2.00")]),
    "float8": (Double, [0.1, 1e300]),
    "boolean": (Boolean, [True, False]),
    "date": (Date, [date(2026, 1, 1), date(2026, 1, 2)]),
    "timestamptz": (DateTime(timezone=True), [NOON, NOON + timedelta(days=200)]),
    "time": (Time, [time(1), time(2)]),
    "interval": (Interval, [timedelta(1), timedelta(2)]),
    "bytea": (LargeBinary, [b"", b"\x00"]),
    "inet": (INET, [IPv4Address("10.0.0.1"), IPv6Address("::1")]),
    "macaddr": (MACADDR, ["08:00:2b:01:02:03", "08:00:2b:01:02:04"]),
    "bit": (BIT(4), [BitString("1010"), BitString("1011")]),
    "int4range": (INT4RANGE, [Range(1, 5), Range(2, 5)]),
    "money": (Money, [110, 220]),
    "shouted": (Shouted, ["LOUD", "TONE"]),
    "reversed": (Reversed, ["abc", "xy"]),
    "jsonb": (JSONB(none_as_null=True), ["a", "b"]),
}


def _parent(name: str, kind: Any) -> Any:
    return type(
        f"Parent_{name}",
        (Base,),
        {
            "__tablename__": f"pt_parent_{name}",
            "__module__": __name__,
            "key": mapped_column(kind, primary_key=True, autoincrement=False),
            "label": mapped_column(Text),
            "children": relationship(f"Child_{name}", order_by=f"Child_{name}.id", back_populates="parent"),
        },
    )


def _child(name: str, kind: Any) -> Any:
    return type(
        f"Child_{name}",
        (Base,),
        {
            "__tablename__": f"pt_child_{name}",
            "__module__": __name__,
            "id": mapped_column(Integer, primary_key=True, autoincrement=False),
            "parent_key": mapped_column(kind, ForeignKey(f"pt_parent_{name}.key"), nullable=True),
            "parent": relationship(f"Parent_{name}", back_populates="children"),
        },
    )


# A parent and a child for each type of a key.
FAMILIES = {name: (_parent(name, kind), _child(name, kind), values) for name, (kind, values) in KEYS.items()}


class Hall(Base):
    """Has a key of text and integer."""

    __tablename__ = "pt_hall"

    house: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    colour: Mapped[Colour] = mapped_column(NATIVE, primary_key=True)
    doors: Mapped[list[Door]] = relationship(order_by="Door.id", back_populates="hall")


class Door(Base):
    """Refers to a key of text, integer and enum."""

    __tablename__ = "pt_door"
    __table_args__ = (
        ForeignKeyConstraint(["house", "number", "colour"], ["pt_hall.house", "pt_hall.number", "pt_hall.colour"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    house: Mapped[str | None]
    number: Mapped[int | None]
    colour: Mapped[Colour | None] = mapped_column(NATIVE)
    hall: Mapped[Hall | None] = relationship(back_populates="doors")


class Loose(Base):
    """Has a key that compares without regard to case, spelt by its children as each likes."""

    __tablename__ = "pt_loose"

    key: Mapped[str] = mapped_column(CITEXT, primary_key=True)
    children: Mapped[list[LooseChild]] = relationship(order_by="LooseChild.id", back_populates="parent")


class LooseChild(Base):
    """Refers to it in any case."""

    __tablename__ = "pt_loose_child"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent_key: Mapped[str | None] = mapped_column(CITEXT, ForeignKey(Loose.key))
    parent: Mapped[Loose | None] = relationship(back_populates="children")


class Strict(Base):
    """Has a key that its children hold as another type in Python."""

    __tablename__ = "pt_strict"

    key: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    children: Mapped[list[StrictChild]] = relationship(
        order_by="StrictChild.id", back_populates="parent", foreign_keys="StrictChild.parent_key"
    )
    by_number: Mapped[list[StrictChild]] = relationship(order_by="StrictChild.id", foreign_keys="StrictChild.number")


class StrictChild(Base):
    """Refers to a UUID by text, and to a number by a wider one."""

    __tablename__ = "pt_strict_child"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent_key: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), ForeignKey(Strict.key))
    number: Mapped[int | None] = mapped_column(BigInteger, ForeignKey(Strict.number))
    parent: Mapped[Strict | None] = relationship(back_populates="children", foreign_keys=parent_key)


class Wide(Base):
    """Has a number that is wider than its children's."""

    __tablename__ = "pt_wide"

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    children: Mapped[list[Narrow]] = relationship()


class Narrow(Base):
    """Refers to it by a number that holds fewer."""

    __tablename__ = "pt_narrow"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent_key: Mapped[int] = mapped_column(ForeignKey(Wide.key))
