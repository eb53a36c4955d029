"""Mapped classes with every kind of relationship that is loaded lazily, and how the server makes their rows."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    and_,
    text,
)
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    attribute_keyed_dict,
    declared_attr,
    foreign,
    mapped_column,
    relationship,
)

from dal import Database, Repository, orm

# How many labels the enumeration has that is a key.
SHADES: Final = 1_000


class Base(AsyncAttrs, DeclarativeBase):
    """A registry apart from the other tests'."""

    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)
    type_annotation_map = orm.Base.type_annotation_map


class Placed:
    """Brings a relationship to whatever inherits it."""

    place_id: Mapped[int | None] = mapped_column(ForeignKey("ld_place.id"))

    @declared_attr
    @classmethod
    def place(cls) -> Mapped[Place | None]:
        return relationship(lazy="select")


membership = Table(
    "ld_membership",
    Base.metadata,
    Column("person_id", ForeignKey("ld_person.id"), primary_key=True),
    Column("club_id", ForeignKey("ld_club.id"), primary_key=True, index=True),
)


class Place(Base):
    """Is where several are."""

    __tablename__ = "ld_place"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    people: Mapped[list[Person]] = relationship(viewonly=True, order_by="Person.id")


class Person(Placed, Base):
    """Is in the middle of everything, and is related to its like."""

    __tablename__ = "ld_person"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None] = mapped_column(deferred=True)
    memo: Mapped[str | None] = mapped_column(deferred=True, deferred_group="memos")
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("ld_person.id"), index=True)

    boss: Mapped[Person | None] = relationship(remote_side="Person.id", back_populates="reports")
    reports: Mapped[list[Person]] = relationship(back_populates="boss", order_by="Person.id")
    pets: Mapped[list[Pet]] = relationship(back_populates="owner")
    heavy_first: Mapped[list[Pet]] = relationship(viewonly=True, order_by="Pet.weight.desc(), Pet.id")
    heavy: Mapped[list[Pet]] = relationship(
        primaryjoin=lambda: and_(Person.id == foreign(Pet.owner_id), Pet.weight > 1), viewonly=True
    )
    namesakes: Mapped[list[Pet]] = relationship(primaryjoin=lambda: Person.name == foreign(Pet.name), viewonly=True)
    pets_by_id: Mapped[dict[int, Pet]] = relationship(collection_class=attribute_keyed_dict("id"), viewonly=True)
    pet_set: Mapped[set[Pet]] = relationship(viewonly=True)
    first_pet: Mapped[Pet | None] = relationship(
        primaryjoin=lambda: and_(Person.id == foreign(Pet.owner_id), Pet.is_first), viewonly=True, uselist=False
    )
    passport: Mapped[Passport | None] = relationship(back_populates="person")
    clubs: Mapped[list[Club]] = relationship(secondary=membership, back_populates="members")
    letters: Mapped[list[Letter]] = relationship(back_populates="writer")


class Pet(Base):
    """Belongs to one, or to nobody."""

    __tablename__ = "ld_pet"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(index=True)
    weight: Mapped[int]
    is_first: Mapped[bool] = mapped_column(info={"drawn": lambda _, number: number == 1})
    owner_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id), index=True)
    owner: Mapped[Person | None] = relationship(back_populates="pets")


class Passport(Base):
    """Is the one of its person."""

    __tablename__ = "ld_passport"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id), unique=True)
    person: Mapped[Person | None] = relationship(back_populates="passport")


class Club(Base):
    """Has several members, in no order."""

    __tablename__ = "ld_club"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    members: Mapped[set[Person]] = relationship(secondary=membership, back_populates="clubs")


class Letter(Base):
    """Refers to a key that is not the primary one."""

    __tablename__ = "ld_letter"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str | None] = mapped_column(ForeignKey(Person.code), index=True)
    writer: Mapped[Person | None] = relationship(back_populates="letters")


class Box(Base):
    """Has a key of two columns, of two types."""

    __tablename__ = "ld_box"

    shelf: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str | None]
    things: Mapped[list[Thing]] = relationship(back_populates="box", order_by="Thing.id")


class Thing(Base):
    """Refers to a key of two columns, of which either may be NULL."""

    __tablename__ = "ld_thing"
    __table_args__ = (ForeignKeyConstraint(["box_shelf", "box_number"], ["ld_box.shelf", "ld_box.number"]),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    box_shelf: Mapped[str | None]
    box_number: Mapped[int | None]
    box: Mapped[Box | None] = relationship(back_populates="things")


class Company(Base):
    """Has staff, each with a table for its kind, and vehicles, all in one table."""

    __tablename__ = "ld_company"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    staff: Mapped[list[Staff]] = relationship(back_populates="company", order_by="Staff.id")
    engineers: Mapped[list[Engineer]] = relationship(viewonly=True, order_by="Engineer.id")
    vehicles: Mapped[list[Vehicle]] = relationship(back_populates="company", order_by="Vehicle.id")
    cars: Mapped[list[Car]] = relationship(viewonly=True, order_by="Car.id")


class Staff(Base):
    """The root of joined-table inheritance."""

    __tablename__ = "ld_staff"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "staff"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(info={"kinds": ["staff", "manager", "engineer"]})
    company_id: Mapped[int | None] = mapped_column(ForeignKey(Company.id), index=True)
    company: Mapped[Company | None] = relationship(back_populates="staff")
    driven: Mapped[list[Vehicle]] = relationship(back_populates="driver", order_by="Vehicle.id")


class Manager(Staff):
    """Has engineers."""

    __tablename__ = "ld_manager"
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(ForeignKey(Staff.id), primary_key=True)
    budget: Mapped[int | None]
    engineers: Mapped[list[Engineer]] = relationship(
        back_populates="manager", foreign_keys="Engineer.manager_id", order_by="Engineer.id"
    )


class Engineer(Staff):
    """Has a manager."""

    __tablename__ = "ld_engineer"
    __mapper_args__ = {"polymorphic_identity": "engineer"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(ForeignKey(Staff.id), primary_key=True)
    skill: Mapped[int | None]
    manager_id: Mapped[int | None] = mapped_column(ForeignKey(Manager.id), index=True)
    manager: Mapped[Manager | None] = relationship(back_populates="engineers", foreign_keys=manager_id)


class Vehicle(Base):
    """The root of single-table inheritance."""

    __tablename__ = "ld_vehicle"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012 # SQLAlchemy declares it so

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(info={"kinds": ["vehicle", "car"]})
    company_id: Mapped[int | None] = mapped_column(ForeignKey(Company.id), index=True)
    driver_id: Mapped[int | None] = mapped_column(ForeignKey(Staff.id), index=True)
    company: Mapped[Company | None] = relationship(back_populates="vehicles")
    driver: Mapped[Staff | None] = relationship(back_populates="driven")


class Car(Vehicle):
    """Has no table of its own, but a relationship."""

    __mapper_args__ = {"polymorphic_identity": "car"}  # noqa: RUF012 # SQLAlchemy declares it so

    towed_by_id: Mapped[int | None] = mapped_column(ForeignKey("ld_vehicle.id"))
    tow: Mapped[Vehicle | None] = relationship(remote_side="Vehicle.id", foreign_keys=towed_by_id)


Shade = enum.Enum("Shade", {f"s{number}": number for number in range(SHADES)})  # type: ignore[misc] # too many to write


@dataclass(frozen=True, order=True)
class Tail:
    """A value of Python's for a number of the server's."""

    number: int


class Tailed(TypeDecorator[Tail]):
    """Counts from a thousand in the server."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Tail | None, dialect: Any) -> int | None:
        return None if value is None else value.number + 1_000

    def process_result_value(self, value: int | None, dialect: Any) -> Tail | None:
        return None if value is None else Tail(value - 1_000)


class Shouted(TypeDecorator[str]):
    """Is in upper case in the server."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.upper()

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.lower()


# A key's type, and what the server makes of `n` for it.
KEYS: Final[dict[str, tuple[Any, str]]] = {
    "uuid": (Uuid(), "lpad(to_hex({}), 32, '0')::uuid"),
    "text": (Text(), "'k' || {}"),
    "enum": (Enum(Shade, name="ld_shade"), "('s' || {})::ld_shade"),
    "decorated": (Tailed(), "{} + 1000"),
    "decorated_text": (Shouted(), "'K' || {}"),
    "array": (ARRAY(Integer, as_tuple=True), "ARRAY[{0}, {0} + 1]"),
}


def _keyed(name: str, kind: Any) -> type[Any]:
    """Map a class whose key is of a type, related to itself both ways, as `up` and `down`."""
    title = f"Keyed{name.title().replace('_', '')}"
    body: dict[str, Any] = {
        "__module__": __name__,
        "__tablename__": f"ld_by_{name}",
        "id": mapped_column(kind, primary_key=True),
        "up_id": mapped_column(kind, ForeignKey(f"ld_by_{name}.id"), nullable=True, index=True),
        "up": relationship(title, remote_side=f"{title}.id", back_populates="down"),
        "down": relationship(title, back_populates="up"),
    }
    return type(title, (Base,), body)


KEYED: Final = {name: _keyed(name, kind) for name, (kind, _) in KEYS.items()}


async def create(db: Database) -> None:
    """Make all the tables."""
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


# Some of each, for :n of them; a tenth refers to nobody.
_ROWS: Final = """
INSERT INTO ld_place SELECT n, 'p' || n FROM generate_series(0, :n / 10) n;
INSERT INTO ld_person (id, name, code, note, memo, boss_id, place_id)
    SELECT n, 'n' || n % 500, 'c' || n, 'note' || n, 'memo' || n, CASE WHEN n > 0 THEN n / 3 END,
        CASE WHEN n % 10 > 0 THEN n % (:n / 10) END FROM generate_series(0, :n - 1) n;
INSERT INTO ld_pet SELECT n, 'n' || n, n % 4, n % 3 = 0, CASE WHEN n % 10 > 0 THEN n / 2 END
    FROM generate_series(0, :n - 1) n;
INSERT INTO ld_passport SELECT n, 'x' || n, CASE WHEN n % 10 > 0 THEN n END FROM generate_series(0, :n - 1) n;
INSERT INTO ld_club SELECT n, 'club' || n FROM generate_series(0, :n - 1) n;
INSERT INTO ld_membership SELECT n, (n * k) % :n FROM generate_series(1, :n - 1) n, generate_series(2, 3) k
    ON CONFLICT DO NOTHING;
INSERT INTO ld_letter SELECT n, CASE WHEN n % 10 > 0 THEN 'c' || n / 2 END FROM generate_series(0, :n - 1) n;
INSERT INTO ld_box SELECT 's' || n % 7, n, 'l' || n FROM generate_series(0, :n - 1) n;
INSERT INTO ld_thing SELECT n, CASE WHEN n % 10 > 0 THEN 's' || (n / 2) % 7 END, CASE WHEN n % 10 > 1 THEN n / 2 END
    FROM generate_series(0, :n - 1) n;
INSERT INTO ld_company SELECT n FROM generate_series(0, :n - 1) n;
INSERT INTO ld_staff SELECT n, (ARRAY['staff', 'manager', 'engineer'])[n % 3 + 1],
    CASE WHEN n % 10 > 0 THEN n / 3 END FROM generate_series(0, 3 * :n - 1) n;
INSERT INTO ld_manager SELECT n, n FROM generate_series(1, 3 * :n - 1, 3) n;
INSERT INTO ld_engineer SELECT n, n, CASE WHEN n % 10 > 0 THEN n / 6 * 3 + 1 END
    FROM generate_series(2, 3 * :n - 1, 3) n;
INSERT INTO ld_vehicle SELECT n, (ARRAY['vehicle', 'car'])[n % 2 + 1], CASE WHEN n % 10 > 0 THEN n / 2 END,
    CASE WHEN n % 9 > 0 THEN n END, CASE WHEN n % 4 = 1 THEN n / 2 END FROM generate_series(0, 2 * :n - 1) n;
"""


async def fill(db: Database, number: int, tables: frozenset[str] = frozenset(Base.metadata.tables)) -> None:
    """Have the server make *number* rows in each of some *tables*."""
    statements = [each for each in _ROWS.replace(":n", str(number)).split(";") if tables & set(each.split())]
    for name, (_, key) in KEYS.items():
        up, own = key.format("(n / 3)"), key.format("n")
        last = min(number, SHADES) - 1
        statements.append(f"INSERT INTO ld_by_{name} SELECT {own}, CASE WHEN n > 0 THEN {up} END "
            f"FROM generate_series(0, {last}) n")  # fmt: skip
    async with db.engine.begin() as connection:
        for each in statements:
            await connection.execute(text(each))
        for table in tables:
            await connection.execute(text(f"ANALYZE {table}"))


def repository_of(model: Any, **members: Any) -> type[Repository[Any]]:
    """Make a repository for a class."""
    return type(f"{model.__name__}s", (Repository,), {"model": model, **members})


class People(Repository[Person]): ...
