"""What a factory makes is accepted by the server, and is what was asked for."""

import contextlib
import io
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    Computed,
    Enum,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
    func,
    select,
    types,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    column_property,
    composite,
    mapped_column,
    relationship,
    synonym,
)

from dal import orm
from dal.demo.models import Customer, Nation, Order, OrderLine, PartSupply, Region
from dal.errors import FactoryError, UniqueViolation
from dal.testing.making import Factory
from tests.models import Account, Booking, Entry


class Base(orm.Base):
    """Not the other tests' tables."""

    __abstract__ = True
    metadata = MetaData()


class Tenant(Base):
    __tablename__ = "tenant"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(3), unique=True)


class Project(Base):
    """Its key has its tenant's in it."""

    __tablename__ = "project"
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    tenant: Mapped[Tenant] = relationship()


class Task(Base):
    """Both of its relationships fill the same column."""

    __tablename__ = "task"
    __table_args__ = (ForeignKeyConstraint(["tenant_id", "project"], ["project.tenant_id", "project.number"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"))
    project: Mapped[int]
    tenant: Mapped[Tenant] = relationship()
    of: Mapped[Project] = relationship(overlaps="tenant")


class Seat(Base):
    """Four of them, and no more."""

    __tablename__ = "seat"
    __table_args__ = (UniqueConstraint("side", "window"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(Enum("left", "right", name="side"))
    window: Mapped[bool]


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(30))
    hours: Mapped[Range[int]] = mapped_column(INT4RANGE)


Index("user_email", func.lower(User.email), unique=True)


@dataclass
class Pair:
    left: int
    right: int


class Widget(Base):
    """Everything that fills itself, or is no column."""

    __tablename__ = "widget"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    renamed: Mapped[str] = mapped_column("name", String(20))
    counted: Mapped[int] = mapped_column(default=3)
    key: Mapped[UUID] = mapped_column(default=uuid4)
    made: Mapped[datetime] = mapped_column(server_default=func.now())
    twice: Mapped[int] = mapped_column(Computed("counted * 2", persisted=True))
    triggered: Mapped[int | None] = mapped_column(server_default=FetchedValue())
    version: Mapped[int] = mapped_column()
    left: Mapped[int] = mapped_column(SmallInteger)
    right: Mapped[int] = mapped_column(SmallInteger)
    pair: Mapped[Pair] = composite(left, right)
    label = synonym("renamed")
    plus = column_property(counted + 1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy reads it

    @hybrid_property
    def shout(self):
        return self.renamed.upper()

    @shout.inplace.setter
    def _set_shout(self, value):
        self.renamed = value.lower()


class Animal(Base):
    __tablename__ = "animal"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - as SQLAlchemy reads it


class Cat(Animal):
    __tablename__ = "cat"
    id: Mapped[UUID] = mapped_column(ForeignKey("animal.id"), primary_key=True)
    lives: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012 - as SQLAlchemy reads it


class Kitten(Cat):
    weight: Mapped[Decimal | None] = mapped_column(Numeric(3, 2))
    __mapper_args__ = {"polymorphic_identity": "kitten"}  # noqa: RUF012 - as SQLAlchemy reads it


class Node(Base):
    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("node.id"))
    friend_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    parent: Mapped["Node"] = relationship(foreign_keys=parent_id, remote_side="Node.id")
    friend: Mapped["Node | None"] = relationship(foreign_keys=friend_id, remote_side="Node.id")


class Chicken(Base):
    __tablename__ = "chicken"
    id: Mapped[int] = mapped_column(primary_key=True)
    egg_id: Mapped[int] = mapped_column(ForeignKey("egg.id", use_alter=True))
    egg: Mapped["Egg"] = relationship(foreign_keys=egg_id)


class Egg(Base):
    __tablename__ = "egg"
    id: Mapped[int] = mapped_column(primary_key=True)
    hen_id: Mapped[int] = mapped_column(ForeignKey("chicken.id"))
    hen: Mapped[Chicken] = relationship(foreign_keys=hen_id)


class Lonely(Base):
    """Its foreign key has no relationship."""

    __tablename__ = "lonely"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"))


class Data(MappedAsDataclass, DeclarativeBase):
    """Mapped dataclasses, whose constructor asks for everything."""

    metadata = Base.metadata


class Shelf(Data):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    label: Mapped[str]
    hint: Mapped[str | None]


class Book(Data):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    title: Mapped[str] = mapped_column(init=False)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf] = relationship()
    pages: Mapped[int] = mapped_column(default=7)


class Greeter(Base):
    """Has a constructor of its own."""

    __tablename__ = "greeter"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    greeting: Mapped[str]

    def __init__(self, name):
        self.name = name
        self.greeting = f"Hello {name}"


class Odd(types.UserDefinedType[object]):
    def get_col_spec(self):
        return "point"


class Plotted(Base):
    __tablename__ = "plotted"
    id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[object] = mapped_column(Odd)


@pytest.fixture
def make():
    return Factory()


@pytest.fixture
async def session(db):
    """Lend a session in a database that has this file's tables as well."""
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(db.engine, expire_on_commit=False) as session:
        yield session


async def _save(session, *entities):
    session.add_all(entities)
    await session.commit()
    return entities


def _set(entity):
    return {name for name in vars(entity) if not name.startswith("_")}


async def test_the_server_accepts_many_of_every_class(session, make):
    make.define(Account, balance=1)
    shop = [Region, Nation, Customer, Order, OrderLine, PartSupply]
    other = [Account, Entry, Booking, Tenant, Project, Task, User, Widget, Cat, Kitten, Shelf, Book]
    await _save(session, *(each for entity in shop + other for each in make.many(entity, 5)))
    for entity in shop + other:
        assert await session.scalar(select(func.count()).select_from(entity)) >= 5


def test_what_may_stay_unset_stays_unset(make):
    assert _set(make(Widget)) == {"renamed", "left", "right"}
    assert _set(make(Kitten)) == {"id", "kind", "name", "lives"}


def test_values_given_are_kept(make):
    order = make(Order, status="open", total_price=Decimal(1))
    assert (order.status, order.total_price) == ("open", Decimal(1))


def test_a_required_entity_is_made_and_set_through_its_relationship(make):
    order = make(Order)
    assert order.customer.nation.region.name
    assert order in order.customer.orders
    assert order.customer_id is None


def test_nothing_is_made_for_a_relationship_given(make):
    customer = make(Customer)
    assert make(Order, customer=customer).customer is customer
    assert make(Order, customer=None).customer is None


def test_nothing_is_made_for_a_relationship_whose_column_is_given(make):
    order = make(Order, customer_id=4)
    assert (order.customer_id, order.customer) == (4, None)


async def test_a_wide_relationship_fills_what_it_shares_with_a_narrow_one(session, make):
    task, _ = await _save(session, make(Task), make(Task))
    assert task.tenant_id == task.of.tenant_id == task.of.tenant.id


def test_a_relationship_given_that_fills_half_of_another_names_the_other(make):
    with pytest.raises(FactoryError, match=r"Task\.project refers to project\.number, as part of of, .*: pass of"):
        make(Task, tenant=make(Tenant))


async def test_entities_of_one_parent_differ_in_the_rest_of_their_key(session, make):
    tenant = make(Tenant)
    projects = await _save(session, *make.many(Project, 3, tenant=tenant))
    assert [each.number for each in projects] == [1, 2, 3]


def test_every_combination_of_small_columns_is_used_once_and_then_told_to_be_out(make):
    assert len({(seat.side, seat.window) for seat in make.many(Seat, 4)}) == 4
    with pytest.raises(FactoryError, match=r"all 4 values of side, window are used in unique \(seat\.side, seat\.win"):
        make(Seat)


def test_half_of_a_unique_pair_given_leaves_the_other_half(make):
    assert {seat.window for seat in make.many(Seat, 2, side="left")} == {True, False}


def test_a_value_given_is_not_made_again(make):
    made = [make(Account, id=2, owner="owner 1"), *make.many(Account, 3)]
    assert len({each.id for each in made}) == len({each.owner for each in made}) == 4


async def test_a_repeated_value_is_the_callers_to_give(db, make):
    async with AsyncSession(db.engine) as session:
        session.add_all([make(Account, id=1, balance=1), make(Account, id=2, owner="owner 0", balance=1)])
        with pytest.raises(UniqueViolation):
            await session.flush()


def test_unique_text_never_repeats_within_its_length(make):
    names = [each.name for each in make.many(Tenant, 1000)]
    assert len(set(names)) == 1000
    assert max(map(len, names)) <= 3


def test_ranges_never_overlap(make):
    made = [each.hours for each in make.many(Booking, 50)]
    assert not any(one.overlaps(other) for n, one in enumerate(made) for other in made[:n])


def test_many_makes_as_many(make):
    assert [each.status for each in make.many(Order, 3, status="open")] == ["open"] * 3


def test_what_is_defined_stands_for_all_and_calls_are_made_for_each(make):
    make.define(Order, status="open", customer=lambda make: make(Customer, name="Ada"))
    one, other = make(Order), make(Order, status="shut")
    assert (one.status, other.status, one.customer.name) == ("open", "shut", "Ada")
    assert one.customer is not other.customer


def test_what_is_defined_for_a_class_holds_for_its_subclasses(make):
    make.define(Animal, name="Tom")
    make.define(Cat, lives=9)
    assert (make(Kitten).name, make(Kitten).lives) == ("Tom", 9)


def test_a_column_given_replaces_the_relationship_defined(make):
    make.define(Order, customer=lambda make: make(Customer))
    assert make(Order, customer_id=3).customer is None


def test_a_synonym_a_hybrid_and_a_composite_may_be_given(make):
    assert make(Widget, label="here").renamed == "here"
    assert make(Widget, shout="HERE").renamed == "here"
    assert make(Widget, pair=Pair(3, 4)).right == 4


def test_a_dataclass_gets_what_its_constructor_asks_for(make):
    book = make(Book, title="given")
    assert (book.title, book.pages) == ("given", 7)
    assert book.shelf.label


def test_a_constructor_of_its_own_is_called_and_the_rest_set_afterwards(make):
    assert make(Greeter, name="Ada", greeting="Hi").greeting == "Hi"
    assert make(Greeter, name="Ada").name == "Ada"


@pytest.mark.parametrize(
    ("entity", "given", "message"),
    [
        (Order, {"statsu": 1}, "Order has no attribute 'statsu'; did you mean 'status'?"),
        (Lonely, {}, "Lonely.tenant_id refers to tenant.id and no relationship is mapped for it: pass tenant_id"),
        (Node, {}, "Node.parent is required and refers to its own class, so there is no first one: pass parent"),
        (Egg, {}, "Chicken.egg is required and leads back to Egg, so there is no first one: pass egg"),
        (Animal, {}, "Animal has no polymorphic_identity: make one of Cat, Kitten"),
        (
            Plotted,
            {},
            "no values are known for Odd, the type of plotted.place: pass a value for it, or define one",
        ),
        (int, {}, "<class 'int'> is not a mapped class"),
    ],
)
def test_what_cannot_be_made_is_one_line_that_says_what_to_pass(make, entity, given, message):
    with pytest.raises(FactoryError) as told:
        make(entity, **given)
    assert str(told.value) == message


def test_a_definition_with_an_unknown_name_is_told_at_once(make):
    with pytest.raises(FactoryError, match="did you mean 'status'"):
        make.define(Order, statsu="open")


def test_an_optional_reference_to_its_own_class_stays_none(make):
    root = make(Node, parent=None)
    assert make(Node, parent=root).friend is None


CODE = """
from dal.demo.models import OrderLine
from dal.testing.making.factory import Factory
for line in Factory(seed=1).many(OrderLine, 3):
    for each in (line, line.order, line.part_supply):
        print(sorted((name, str(value)) for name, value in vars(each).items() if not hasattr(value, "__dict__")))
"""


def test_the_same_seed_gives_the_same_values_in_every_process():
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(CODE)
    there = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True, text=True, env={})
    assert here.getvalue() == there.stdout


def test_another_seed_gives_other_values():
    assert Factory(1)(Order).status != Factory(2)(Order).status
