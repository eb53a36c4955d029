"""What is dumped comes back: every row and value, in both formats."""

import asyncio
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, Column, Integer, MetaData, Table, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dal import Database, PoolConfig
from dal.demo.models import Base as Shop
from dal.demo.models import Order
from dal.demo.repositories import Orders
from dal.errors import CopyError
from dal.testing.snapshot import dump_tables, load_tables


class Base(DeclarativeBase):
    pass


class Everything(Base):
    __tablename__ = "every thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None]
    number: Mapped[Decimal | None]
    real: Mapped[float | None]
    yes: Mapped[bool | None]
    day: Mapped[date | None]
    hour: Mapped[time | None]
    local: Mapped[datetime | None]
    uuid: Mapped[UUID | None]
    octets: Mapped[bytes | None]
    json: Mapped[dict[str, object] | None] = mapped_column(JSONB)


ROWS = [
    {
        "text": 'two\nlines, "quoted"', "number": Decimal("1.25"), "real": 0.1, "yes": False,
        "day": date(1, 1, 1), "hour": time(1, 2, 3, 4), "local": datetime.fromisoformat("2024-02-29 01:02:03.000004"),
        "uuid": UUID(int=1), "octets": b"\x00\xff", "json": {"a": [1, None]},
    },
    {"text": "", "octets": b"", "json": {}},
    {},
]  # fmt: skip


@pytest.fixture
async def source(database_url):
    async with Database(database_url, pool=PoolConfig(size=1)) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with db.writing() as session:
            for row in ROWS:
                session.add(Everything(**row))
                await session.flush()
        yield db


async def _rows(db):
    async with db.reading() as session:
        found = await session.scalars(select(Everything).order_by(Everything.id))
        return [{c.key: getattr(row, c.key) for c in Everything.__table__.columns} for row in found]


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
async def test_every_value_comes_back(source, tmp_path, file_format):
    before = await _rows(source)
    await dump_tables(source, Base.metadata, tmp_path, file_format)
    await source.execute_script('DELETE FROM "every thing"')
    async with source.writing() as session:
        await load_tables(session, Base.metadata, tmp_path)
    assert await _rows(source) == before


async def test_keys_go_on_after_the_highest_that_was_loaded(source, tmp_path):
    await dump_tables(source, Base.metadata, tmp_path)
    await source.execute_script('TRUNCATE "every thing" RESTART IDENTITY')
    async with source.writing() as session:
        await load_tables(session, Base.metadata, tmp_path)
        new = Everything()
        session.add(new)
        await session.flush()
        assert new.id == len(ROWS) + 1


async def test_a_whole_shop_is_loaded_in_the_order_of_its_foreign_keys(read_only, db, tmp_path):
    await dump_tables(read_only, Shop.metadata, tmp_path, "parquet")
    async with db.writing() as session:
        await load_tables(session, Shop.metadata, tmp_path)
    assert await Orders(db).count() == await Orders(read_only).count() > 0
    assert {order.id for order in await Orders(db).list(Order.id > 0)}


async def test_a_type_that_no_file_holds_is_one_line(db, tmp_path):
    metadata = MetaData()
    Table("lists", metadata, Column("id", Integer, primary_key=True), Column("them", ARRAY(Integer)))
    with pytest.raises(CopyError, match=r"^column lists\.them is ARRAY\(Integer\(\)\): no file holds that exactly\."):
        await dump_tables(db, metadata, tmp_path)


async def test_a_file_that_does_not_fit_loads_nothing(source, tmp_path):
    await dump_tables(source, Base.metadata, tmp_path)
    path = tmp_path / "every thing.csv"
    await asyncio.to_thread(path.write_text, "id,text\nmany,x\n")
    with pytest.raises(CopyError, match="does not fit its table"):
        async with source.writing() as session:
            await load_tables(session, Base.metadata, tmp_path)
    assert len(await _rows(source)) == len(ROWS)
