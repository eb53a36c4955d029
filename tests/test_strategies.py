"""What the strategies draw comes back from a real server as it was, for every type that PostgreSQL has."""

import asyncio
import enum
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from sqlalchemy import MetaData, inspect, types
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import mapped_column

from dal import Database, PoolConfig, orm
from dal.demo.models import Order, OrderLine
from dal.errors import FactoryError
from dal.testing.making.factory import Factory
from dal.testing.making.strategies import column_values, entities
from tests.models import Account, Booking, Entry, Everything

FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
SEARCH = settings(max_examples=1000, deadline=None, derandomize=True, database=None)


class Colour(enum.Enum):
    red = 1
    green = 2


class Shouted(types.TypeDecorator[str]):
    impl = types.String(12)
    cache_ok = True


class Number(types.TypeDecorator[int]):
    """Its Python values are not those of its impl."""

    impl = types.Text
    cache_ok = True
    python_type = int

    def process_bind_param(self, value, dialect):
        return None if value is None else str(value)

    def process_result_value(self, value, dialect):
        return None if value is None else int(value)


TYPES = {
    "number": [
        types.SmallInteger(), types.Integer(), types.BigInteger(), pg.OID(), types.Numeric(5, 2), types.Numeric(40, 3),
        types.Numeric(3), types.Numeric(2, 4), types.Numeric(), types.Numeric(20, 2, asdecimal=False), types.REAL(),
        types.Float(), types.Float(24), types.Double(), types.Float(asdecimal=True), pg.MONEY(), types.Boolean(),
        Number(),
    ],
    "text": [
        types.String(), types.String(3), types.Text(), types.Unicode(5), types.CHAR(), types.CHAR(4), pg.CITEXT(),
        Shouted(), Shouted(2), types.String(2).with_variant(types.String(30), "postgresql"),
        pg.DOMAIN("short", types.String(4)), types.Enum(Colour), types.Enum("a", "b", name="letter"),
        pg.ENUM("x", name="e"), types.Enum("north", "south", native_enum=False),
    ],
    "time": [
        types.Date(), types.DateTime(), types.DateTime(timezone=True), pg.TIMESTAMP(precision=0), types.Time(),
        pg.TIMESTAMP(timezone=True, precision=3), pg.TIME(precision=2), types.Time(timezone=True), types.Interval(),
        pg.INTERVAL(), pg.INTERVAL(precision=1), pg.INTERVAL(fields="DAY TO MINUTE"), pg.INTERVAL(fields="YEAR"),
        types.Interval(second_precision=4),
    ],
    "structure": [
        types.JSON(), pg.JSON(), pg.JSONB(), types.JSON(none_as_null=True), pg.JSONPATH(), pg.HSTORE(),
        types.ARRAY(types.Integer()), pg.ARRAY(types.Text()), pg.ARRAY(types.Numeric(4, 1), dimensions=2),
        pg.ARRAY(types.Uuid(), as_tuple=True), types.ARRAY(types.DateTime(timezone=True)), types.PickleType(),
    ],
    "the rest": [
        types.LargeBinary(), pg.BYTEA(), types.Uuid(), types.Uuid(as_uuid=False), pg.UUID(), pg.BIT(), pg.BIT(5),
        pg.BIT(varying=True), pg.BIT(7, varying=True), pg.INET(), pg.CIDR(), pg.MACADDR(), pg.MACADDR8(), pg.TSVECTOR(),
        pg.TSQUERY(), pg.REGCONFIG(), pg.REGCLASS(),
    ],
    "ranges": [
        pg.INT4RANGE(), pg.INT8RANGE(), pg.NUMRANGE(), pg.DATERANGE(), pg.TSRANGE(), pg.TSTZRANGE(),
        pg.INT4MULTIRANGE(), pg.INT8MULTIRANGE(), pg.NUMMULTIRANGE(), pg.DATEMULTIRANGE(), pg.TSMULTIRANGE(),
        pg.TSTZMULTIRANGE(),
    ],
}  # fmt: skip


class Base(orm.Base):
    """Not the other tests' tables."""

    __abstract__ = True
    metadata = MetaData()


def _one_of_each(family):
    """Map a class with a column of each type of the *family*, where NOT NULL and where NULL is a value, too."""
    columns = {f"column_{n}": mapped_column(type_, nullable=False) for n, type_ in enumerate(TYPES[family])}
    columns |= {f"maybe_{n}": mapped_column(type_, nullable=True) for n, type_ in enumerate(TYPES[family][:2])}
    key = mapped_column(types.Integer(), primary_key=True)
    return type(family.title().replace(" ", ""), (Base,), {"__tablename__": family, "id": key, **columns})


EACH = {family: _one_of_each(family) for family in TYPES}


async def _create(url):
    async with Database(url, pool=PoolConfig(size=1)) as db, db.engine.begin() as connection:
        for extension in ("citext", "hstore"):
            await connection.exec_driver_sql(f"CREATE EXTENSION {extension}")
        await connection.run_sync(Base.metadata.create_all)


@pytest.fixture(scope="module")
def each_url(pg_kit):
    """Lend a database with a table for each family of types."""
    with pg_kit.empty_database() as url:
        asyncio.run(_create(url))
        yield url


@pytest.fixture
async def session(each_url):
    """Lend a session whose work does not stay."""
    async with Database(each_url, pool=PoolConfig(size=1)) as db, AsyncSession(db.engine) as session:
        yield session


def _values(entity):
    return {name: value for name, value in vars(entity).items() if not name.startswith("_")}


async def _read_back(session, new):
    """Write the *new* entity and read it again: its values before and after."""
    before = _values(new)
    session.add(new)
    await session.flush()
    key = inspect(new).identity
    session.expunge_all()
    after = _values(await session.get_one(type(new), key))
    return before, {name: after[name] for name in before}


@pytest.mark.parametrize("family", TYPES)
@FEW
@given(data=st.data())
async def test_what_is_drawn_reads_back_equal(session, family, data):
    before, after = await _read_back(session, data.draw(entities(EACH[family])))
    assert before == after


@pytest.mark.parametrize("family", TYPES)
async def test_what_a_factory_makes_reads_back_equal(session, family):
    for made in Factory().many(EACH[family], 3):
        before, after = await _read_back(session, made)
        assert before == after


@pytest.mark.parametrize("entity", [Order, OrderLine, Booking, Everything, Entry])
@settings(FEW, max_examples=3)
@given(data=st.data())
async def test_a_drawn_entity_is_accepted_with_all_it_refers_to(db, entity, data):
    # The CHECK constraint of accounts is what no mapping tells.
    given = {"account": entities(Account, balance=st.integers(0, 9))} if entity is Entry else {}
    async with AsyncSession(db.engine) as session:
        session.add(data.draw(entities(entity, **given)))
        await session.flush()


@FEW
@given(drawn=entities(Order, status="open", priority=st.sampled_from(["low", "high"])))
def test_overrides_are_values_or_strategies(drawn):
    assert drawn.status == "open"
    assert drawn.priority in {"low", "high"}


@FEW
@given(drawn=entities(OrderLine))
def test_a_required_relationship_is_drawn_and_the_server_makes_the_keys(drawn):
    assert drawn.part_supply.supplier.nation.region.name is not None
    assert "id" not in vars(drawn.order)


@FEW
@given(drawn=entities(Order, customer_id=7))
def test_nothing_is_drawn_for_a_relationship_whose_column_is_given(drawn):
    assert drawn.customer_id == 7
    assert drawn.customer is None


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (Order.total_price, lambda value: value == Decimal("-9999999999999.99")),
        (Everything.small, lambda value: value == -(2**15)),
        (Everything.code, lambda value: value is not None and len(value) == 8),
        (Everything.words, lambda value: value is not None and len(value) > 8),
        (Everything.flag, lambda value: value is None),
        (Everything.double, lambda value: value == float("inf")),
        (Everything.day, lambda value: value is not None and value.year < 1000),
    ],
)
def test_a_column_is_drawn_from_its_whole_range(column, wanted):
    assert wanted(find(column_values(column), wanted, settings=SEARCH))


@FEW
@given(text=column_values(Order.status))
def test_text_has_neither_null_characters_nor_surrogates(text):
    assert "\0" not in text
    text.encode()


def test_a_column_that_may_not_be_null_is_never_none():
    with pytest.raises(NoSuchExample):
        find(column_values(Order.total_price), lambda value: value is None, settings=FEW)


def test_an_unknown_name_is_told_when_the_strategy_is_made():
    with pytest.raises(FactoryError, match="Order has no attribute 'statsu'; did you mean 'status'"):
        entities(Order, statsu="open")


def test_what_is_no_column_has_no_values():
    with pytest.raises(FactoryError, match=r"Order\.customer is not mapped to a column"):
        column_values(Order.customer)
