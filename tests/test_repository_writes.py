"""The writes of a repository, bound to a database and to a unit of work alike."""

from collections.abc import AsyncGenerator

import pytest

from dal import Database
from dal.demo.models import Region
from dal.demo.repositories import OrderLines, Orders, Regions, Shop
from tests.shop_rows import region


@pytest.fixture(params=["database", "unit of work"])
async def regions(request: pytest.FixtureRequest, db: Database) -> AsyncGenerator[Regions]:
    """Lend the repository of regions, of which there are none."""
    if request.param == "database":
        yield Regions(db)
    else:
        async with Shop(db) as shop:
            yield shop.regions


async def test_add_knows_the_generated_key_afterwards(regions):
    new = Region(name="here", comment="")
    await regions.add(new)
    assert (await regions.get_one(new.id)).name == "here"


async def test_add_takes_many(regions):
    await regions.add(*(region(key) for key in (11, 12, 13)))
    assert await regions.count() == 3


async def test_delete_removes_the_row(regions):
    await regions.add(region(2))
    await regions.delete(await regions.get_one(2))
    assert await regions.get(2) is None


async def test_delete_takes_what_the_mapping_cascades_to(shop_db):
    orders = Orders(shop_db)
    await orders.delete(await orders.get_one(2))
    assert await OrderLines(shop_db).count() == 2


async def test_add_of_a_changed_detached_entity_updates(db, outside):
    await Regions(db).add(region(1))
    changed = await Regions(db).get_one(1)
    changed.name = "elsewhere"
    await Regions(db).add(changed)
    assert await outside.fetchval("SELECT name FROM region") == "elsewhere"


async def test_an_entity_changed_in_a_unit_of_work_is_written_at_its_end(db, outside):
    await Regions(db).add(region(1))
    async with Shop(db) as shop:
        (await shop.regions.get_one(1)).name = "elsewhere"
    assert await outside.fetchval("SELECT name FROM region") == "elsewhere"


async def test_an_added_entity_has_all_its_columns(db):
    added = Region(name="here", comment="")
    await Regions(db).add(added)
    assert (added.id, added.name) == (1, "here")


async def test_an_entity_keeps_its_columns_after_its_unit_of_work(db):
    async with Shop(db) as shop:
        added = region(7)
        await shop.regions.add(added)
    assert (added.id, added.name, added.comment) == (7, "region 7", "")
