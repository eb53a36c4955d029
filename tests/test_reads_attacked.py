"""What an attack on reads found: each of these failed when it was written."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

import pytest
from sqlalchemy import ForeignKey, Integer, MetaData, Numeric, String, and_, bindparam, event, func, select, text, true
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import (
    Mapped,
    Session,
    composite,
    foreign,
    mapped_column,
    relationship,
    selectinload,
    with_loader_criteria,
)

from dal import Database, PoolConfig, Repository, orm
from dal.errors import ProjectionError, UnitOfWorkError
from dal.pool.connection import Connection
from dal.projection import Expr, Load
from dal.telemetry import StatementLog
from tests.looking import until

TENANT: Final[ContextVar[int]] = ContextVar("TENANT", default=0)


class Base(orm.Base):
    """A registry of their own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=orm.NAMING_CONVENTION)


@dataclass
class Spot:
    """A composite, of which there may be none."""

    x: int | None
    y: int | None


class Cabinet(Base):
    """Holds papers of several tenants."""

    __tablename__ = "attacked_cabinet"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    x: Mapped[int | None]
    y: Mapped[int | None]

    spot: Mapped[Spot | None] = composite("x", "y")
    papers: Mapped[list[Paper]] = relationship(order_by="Paper.id")
    # SQLAlchemy's own recipe for a condition that is asked for at each execution.
    own: Mapped[list[Paper]] = relationship(
        primaryjoin=lambda: and_(
            Cabinet.id == foreign(Paper.cabinet_id),
            Paper.tenant == bindparam(None, callable_=TENANT.get, type_=Integer),
        ),
        viewonly=True,
        order_by="Paper.id",
    )


class Paper(Base):
    """Belongs to a tenant."""

    __tablename__ = "attacked_paper"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cabinet_id: Mapped[int] = mapped_column(ForeignKey("attacked_cabinet.id"))
    tenant: Mapped[int]


class Cabinets(Repository[Cabinet]):
    """Cabinets."""


@dataclass
class PaperCard:
    """A paper, and whose it is."""

    id: int
    tenant: int


@dataclass
class AllPapers:
    """A cabinet with the papers of all."""

    id: int
    papers: list[PaperCard]


@dataclass
class OwnPapers:
    """A cabinet with the papers of the tenant, as its relationship says."""

    id: int
    own: list[PaperCard]


@dataclass
class LoadedPapers:
    """A cabinet with the papers of the tenant, as its Load says."""

    id: int
    papers: Annotated[list[PaperCard], Load(where=Paper.tenant == bindparam(None, callable_=TENANT.get, type_=Integer))]


@dataclass
class Named:
    """Only a name, which several have."""

    name: str


@dataclass
class AlsoNamed:
    """The same columns as another type."""

    name: str


@dataclass
class Priced:
    """A price."""

    price: Decimal


@dataclass
class Placed:
    """Where a cabinet is, if anywhere."""

    id: int
    spot: Spot | None


@dataclass
class Seen:
    """What the server knows of the tenant."""

    id: int
    tenant: Annotated[str | None, Expr(func.current_setting("attacked.tenant", true(), type_=String))]


@dataclass
class Count:
    """How many papers a tenant has."""

    tenant: int
    number: Annotated[int, Expr(func.count())]


@dataclass
class Counts:
    """A cabinet, and how many papers of each tenant are in it."""

    id: int
    papers: list[Count]


@dataclass
class Namesakes:
    """How many cabinets have the same name."""

    name: str
    number: Annotated[int, Expr(func.count())]


@pytest.fixture
async def one(database_url):
    """Lend a database with one connection, three cabinets, and two tenants' papers in two of them."""
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.execute(
                text(
                    "INSERT INTO attacked_cabinet VALUES "
                    "(1, 'same', 1.50, NULL, NULL), (2, 'same', 2.50, 1, 2), (3, 'other', 3.50, NULL, 2)"
                )
            )
            await connection.execute(
                text("INSERT INTO attacked_paper VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 2, 2)")
            )
        yield db


@pytest.fixture
def cabinets(one):
    return Cabinets(one)


def _tenants(card):
    return {paper.tenant for paper in (card.papers if hasattr(card, "papers") else card.own)}


# Severe: rows of another tenant, or what SQLAlchemy would not give.


@pytest.mark.parametrize("into", [OwnPapers, LoadedPapers])
async def test_a_value_that_is_asked_for_at_each_execution_is_asked_for_at_each_read(cabinets, into):
    for tenant in (1, 2):
        TENANT.set(tenant)
        [listed] = await cabinets.list(Cabinet.id == 1, into=into)
        assert (_tenants(await cabinets.get_one(1, into=into)), _tenants(listed)) == ({tenant}, {tenant})


@pytest.mark.parametrize("into", [OwnPapers, LoadedPapers])
async def test_a_shared_lookup_does_not_answer_for_nobodys_context(cabinets, into):
    async def read(tenant, key):
        TENANT.set(tenant)
        return _tenants(await cabinets.get_one(key, into=into))

    # Nothing is compiled yet: what is kept of an earlier read is another matter.
    found = await asyncio.gather(*(asyncio.create_task(read(tenant, tenant)) for tenant in (1, 2)))
    assert found == [{1}, {2}]


async def test_lookups_are_not_shared_across_what_a_checkout_listener_sets(one, cabinets):
    @event.listens_for(one.engine.sync_engine, "checkout")
    def tell(adapted, *_):
        cursor = adapted.cursor()
        cursor.execute(f"SELECT set_config('attacked.tenant', '{TENANT.get()}', false)")
        cursor.close()

    async def read(tenant):
        TENANT.set(tenant)
        return (await cabinets.get_one(tenant, into=Seen)).tenant

    assert await asyncio.gather(*(asyncio.create_task(read(tenant)) for tenant in (1, 2, 3))) == ["1", "2", "3"]


@pytest.mark.parametrize("kind", ["get", "list", "page", "select_into"])
async def test_a_listener_that_says_who_the_tenant_is_at_the_begin_of_a_session_is_heard(one, cabinets, kind):
    def tell(_session, _transaction, connection):
        connection.execute(text(f"SELECT set_config('attacked.tenant', '{TENANT.get()}', false)"))

    event.listen(Session, "after_begin", tell)
    try:
        TENANT.set(1)
        await cabinets.list()  # as an entity: SQLAlchemy's way
        TENANT.set(2)
        assert await _seen(one, cabinets, kind) == "2"
    finally:
        event.remove(Session, "after_begin", tell)


async def _seen(db, cabinets, kind):
    match kind:
        case "get":
            return (await cabinets.get_one(1, into=Seen)).tenant
        case "list":
            return (await cabinets.list(Cabinet.id == 1, into=Seen))[0].tenant
        case "page":
            return (await cabinets.page(into=Seen, limit=1)).items[0].tenant
        case _:
            return (await db.select_into(str, text("SELECT current_setting('attacked.tenant', true)")))[0]


@pytest.mark.parametrize("name", ["begin", "engine_connect"])
async def test_a_listener_of_the_engines_connections_is_heard(one, cabinets, name):
    heard = []
    event.listen(one.engine.sync_engine, name, lambda *_: heard.append(name))
    await cabinets.get(1)
    assert len(heard) == 1
    await cabinets.list(into=Named)
    assert len(heard) == 2


async def test_criteria_of_a_statement_hold_for_its_collections_as_with_selectinload(one):
    for tenant in (1, 2):
        statement = select(Cabinet).options(with_loader_criteria(Paper, Paper.tenant == tenant)).order_by(Cabinet.id)
        async with one.begin() as session:
            loaded = await session.scalars(statement.options(selectinload(Cabinet.papers)))
            expected = [[paper.id for paper in cabinet.papers] for cabinet in loaded]
        read = await one.select_into(AllPapers, statement)
        assert [[paper.id for paper in card.papers] for card in read] == expected


async def test_distinct_entities_are_not_made_distinct_by_what_is_read_of_them(one):
    statement = select(Cabinet).distinct().order_by(Cabinet.name)
    with pytest.raises(ProjectionError, match="DISTINCT would be of what is read"):
        await one.select_into(Named, statement)


async def test_a_stream_goes_on_after_a_column_was_altered(cabinets, outside):
    async def names():
        async with cabinets.stream(into=Named, order_by=Cabinet.id) as rows:
            return [row.name async for row in rows]

    assert await names() == await names()
    await outside.execute("ALTER TABLE attacked_cabinet ALTER name TYPE varchar(200)")
    found = await asyncio.gather(names(), return_exceptions=True)  # in a transaction the first one may fail
    assert await names() == ["same", "same", "other"], found


@pytest.mark.parametrize("into", [Cabinet.papers, Paper.id], ids=["a relationship", "another entity's attribute"])
async def test_what_is_no_value_of_the_entitys_own_row_is_refused(cabinets, into):
    # A product of both tables came: rows of other parents, and True or False in the place of a relationship.
    with pytest.raises(ProjectionError):
        await cabinets.list(into=into)


async def test_a_lookup_finds_the_same_alone_and_with_others(cabinets):
    into = Paper.id  # if that is read at all
    try:
        alone = [await cabinets.get(key, into=into) for key in (1, 2)]
    except ProjectionError:
        return
    assert list(await asyncio.gather(*(cabinets.get(key, into=into) for key in (1, 2)))) == alone


async def test_a_composite_is_read_whole_or_refused(cabinets):
    try:
        found = await cabinets.get(2, into=Cabinet.spot)
    except ProjectionError:
        return
    assert found == Spot(1, 2)


async def _read_cancelled_once_it_is_prepared(cabinets, monkeypatch):
    """Cancel a read in the turn of the loop in which the server has answered to its Parse."""
    real = Connection._get_statement  # where a cancellation may come in

    async def cancelled(self, *arguments, **options):
        statement = await real(self, *arguments, **options)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return statement

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "_get_statement", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(cabinets.list(into=Named))


async def test_a_read_cancelled_between_parse_and_bind_leaves_no_lock_behind(one, cabinets, outside, monkeypatch):
    await _read_cancelled_once_it_is_prepared(cabinets, monkeypatch)
    # Its connection is idle in the pool. The server has had no Sync: it is in the middle of a transaction.
    assert one.pool.status().checked_out == 0
    held = "SELECT count(*) FROM pg_locks WHERE relation = 'attacked_cabinet'::regclass AND pid <> pg_backend_pid()"

    async def is_gone():
        return not await outside.fetchval(held)

    await until(is_gone)


async def test_a_read_cancelled_between_parse_and_bind_costs_no_connection(one, cabinets, monkeypatch):
    before = await one.select_into(int, text("SELECT pg_backend_pid()"))
    await _read_cancelled_once_it_is_prepared(cabinets, monkeypatch)
    assert await one.select_into(int, text("SELECT pg_backend_pid()")) == before


async def test_a_read_cancelled_between_parse_and_bind_spoils_no_transaction_of_another(one, cabinets, monkeypatch):
    await _read_cancelled_once_it_is_prepared(cabinets, monkeypatch)
    async with one.begin(isolation="repeatable read") as session:
        assert await session.scalar(text("SELECT 1")) == 1


# Middle: another type, another error.


async def test_a_column_whose_type_was_altered_is_still_what_its_mapping_says(cabinets, outside):
    assert await cabinets.get(1, into=Priced) == Priced(Decimal("1.50"))
    await outside.execute("ALTER TABLE attacked_cabinet ALTER price TYPE double precision")
    assert isinstance((await cabinets.get_one(1, into=Priced)).price, Decimal)


async def test_the_first_read_of_a_type_gets_over_an_altered_column_as_others_do(cabinets, outside):
    await cabinets.list(into=Named)
    await outside.execute("ALTER TABLE attacked_cabinet ALTER name TYPE varchar(200)")
    assert len(await cabinets.list(into=AlsoNamed)) == 3


async def test_a_composite_of_nulls_alone_is_none_where_its_mapping_says_so(one, cabinets):
    async with one.begin() as session:
        expected = [each.spot for each in await session.scalars(select(Cabinet).order_by(Cabinet.id))]
    assert expected[0] is None
    assert [each.spot for each in await cabinets.list(into=Placed, order_by=Cabinet.id)] == expected


async def test_a_lock_is_refused_outside_a_unit_of_work_also_with_concurrent(cabinets):
    with pytest.raises(UnitOfWorkError):
        await cabinets.list(into=AllPapers, lock="update", concurrent=True)


async def test_a_null_that_is_bound_to_a_text_does_not_depend_on_what_was_sent_before(one):
    statement = text("SELECT count(*) FROM attacked_cabinet WHERE name = cast(:name AS text)")
    assert await one.select_into(int, statement, {"name": "same"}) == [2]
    assert await one.select_into(int, statement.bindparams(name=None)) == [0]


@pytest.mark.parametrize("into", [func.max(Cabinet.name), func.count()], ids=["max", "count"])
async def test_many_aggregates_by_key_are_what_each_is_alone(cabinets, into):
    alone = [await cabinets.get(key, into=into) for key in (1, 2)]
    assert await cabinets.get_many([1, 2], into=into) == alone


async def test_a_collection_of_aggregates_is_read_in_no_order_that_it_cannot_have(cabinets):
    card = await cabinets.get_one(1, into=Counts)  # the mapping orders papers by id, which is not grouped by
    assert sorted((each.tenant, each.number) for each in card.papers) == [(1, 1), (2, 1)]


async def test_a_page_of_aggregates_is_read_or_refused_before_anything_is_sent(cabinets):
    with StatementLog() as log:
        try:
            page = await cabinets.page(into=Namesakes, order_by=Cabinet.name, limit=5)
        except ProjectionError:
            assert not len(log)
            return
    assert [(each.name, each.number) for each in page.items] == [("other", 1), ("same", 2)]


@pytest.mark.filterwarnings("error")
async def test_a_condition_of_a_table_that_is_not_joined_is_warned_of_as_sqlalchemy_does(cabinets):
    with pytest.raises(SAWarning, match="cartesian product"):
        await cabinets.list(Paper.id == 1)
    with pytest.raises(SAWarning, match="cartesian product"):
        await cabinets.list(Paper.id == 1, into=Cabinet.id)


async def test_a_number_of_rows_that_is_none_is_refused_and_loses_no_rows(cabinets):
    with pytest.raises((TypeError, ValueError)):
        async with cabinets.stream(into=Named, batch_rows=1.5) as rows:
            assert len([row async for row in rows]) == 3
