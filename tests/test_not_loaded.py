"""A relationship that a read did not load raises, and names the option that loads it."""

import re

import pytest
from sqlalchemy import exc, inspect, orm
from sqlalchemy.orm import joinedload, selectinload

from dal import lazy
from dal.demo import models
from dal.demo.models import Customer, Nation, Order, OrderLine, PartSupply, Region
from dal.demo.repositories import Customers, Nations, OrderLines, Orders, PartSupplies, Regions, Shop
from dal.errors import NotLoaded
from dal.testing import assert_statements
from tests.models import Account, Accounts, Entries, Entry
from tests.shop_rows import nation

ADVICE = re.compile(r"options=\[(\w+)\((\w+)\.(\w+)\)\]\.$")

# A repository, a key, and a relationship of its entity.
RELATIONSHIPS = {
    "collection": (Regions, 1, Region.nations),
    "collection with cascade": (Orders, 1, Order.lines),
    "many to one": (Nations, 1, Nation.region),
    "many to one by a composite key": (OrderLines, (1, 1), OrderLine.part_supply),
    "many to one view only": (OrderLines, (1, 1), OrderLine.part),
}
# A repository, a key, how to get one level deep, and a relationship there.
DEEPER = {
    "collection in a collection": (Customers, selectinload(Customer.orders), lambda c: c.orders[0], Order.lines),
    "many to one in a collection": (Orders, selectinload(Order.lines), lambda o: o.lines[0], OrderLine.part),
    "collection in a many to one": (Nations, joinedload(Nation.region), lambda n: n.region, Region.nations),
    "many to one in a many to one": (
        OrderLines,
        joinedload(OrderLine.part_supply),
        lambda line: line.part_supply,
        PartSupply.supplier,
    ),
}


def _advised(error):
    """Take the option from the advice that the error gives."""
    loader, entity, key = ADVICE.search(str(error)).groups()
    return getattr(orm, loader), getattr(getattr(models, entity), key)


@pytest.mark.parametrize("case", RELATIONSHIPS)
async def test_an_unloaded_relationship_raises(read_only, case):
    repository, key, relationship = RELATIONSHIPS[case]
    found = await repository(read_only).get_one(key)
    with pytest.raises(NotLoaded, match=f"^{relationship} was not loaded"):
        getattr(found, relationship.key)


@pytest.mark.parametrize("case", RELATIONSHIPS)
async def test_the_option_that_get_is_told_to_add_works(read_only, case):
    repository, key, relationship = RELATIONSHIPS[case]
    with pytest.raises(NotLoaded) as caught:
        getattr(await repository(read_only).get_one(key), relationship.key)
    loader, attribute = _advised(caught.value)
    found = await repository(read_only).get_one(key, options=[loader(attribute)])
    assert getattr(found, relationship.key)


@pytest.mark.parametrize("case", RELATIONSHIPS)
async def test_the_option_that_list_is_told_to_add_works(read_only, case):
    repository, _, relationship = RELATIONSHIPS[case]
    with pytest.raises(NotLoaded) as caught:
        getattr((await repository(read_only).list())[0], relationship.key)
    loader, attribute = _advised(caught.value)
    found = await repository(read_only).list(options=[loader(attribute)])
    assert all(getattr(each, relationship.key) for each in found)


@pytest.mark.parametrize("case", DEEPER)
async def test_an_unloaded_relationship_raises_one_level_deeper(read_only, case):
    repository, option, go, relationship = DEEPER[case]
    found = (await repository(read_only).list(options=[option]))[0]
    with pytest.raises(NotLoaded, match=f"^{relationship} was not loaded"):
        getattr(go(found), relationship.key)


@pytest.mark.parametrize("case", DEEPER)
async def test_the_option_works_one_level_deeper(read_only, case):
    repository, option, go, relationship = DEEPER[case]
    with pytest.raises(NotLoaded) as caught:
        getattr(go((await repository(read_only).list(options=[option]))[0]), relationship.key)
    loader, attribute = _advised(caught.value)
    deeper = getattr(option, loader.__name__)(attribute)
    found = (await repository(read_only).list(options=[deeper]))[0]
    assert getattr(go(found), relationship.key)


async def test_not_loaded_is_sqlalchemys_too(read_only):
    found = await Regions(read_only).get_one(1)
    with pytest.raises(exc.InvalidRequestError):
        _ = found.nations


async def test_an_unloaded_relationship_raises_in_a_unit_of_work(read_only):
    async with Shop(read_only) as shop:
        found = await shop.regions.get_one(1)
        with pytest.raises(NotLoaded):
            _ = found.nations


async def test_an_unloaded_relationship_raises_after_its_unit_of_work(read_only):
    async with Shop(read_only) as shop:
        found = await shop.regions.get_one(1)
    with pytest.raises(NotLoaded, match="in no session any more"):
        _ = found.nations


async def test_an_unloaded_relationship_sends_nothing(read_only):
    async with Shop(read_only) as shop:
        found = await shop.regions.get_one(1)
        with assert_statements(0), pytest.raises(NotLoaded):
            _ = found.nations


async def test_an_awaited_unloaded_relationship_loads_unless_it_is_to_raise(read_only):
    async with Shop(read_only) as shop:
        found = await shop.regions.get_one(1, options=[lazy("raise")])
        with pytest.raises(NotLoaded, match=r"lazy='raise'.* test_not_loaded\.py:\d+ .*options=\[selectinload"):
            await found.awaitable_attrs.nations
        assert await (await shop.nations.get_one(1)).awaitable_attrs.region is found


async def test_a_many_to_one_that_the_session_holds_answers(read_only):
    async with Shop(read_only) as shop:
        region = await shop.regions.get_one(1)
        assert (await shop.nations.get_one(1)).region is region


async def test_an_option_loads_for_an_entity_that_the_unit_of_work_holds(read_only):
    async with Shop(read_only) as shop:
        held = await shop.regions.get_one(1)
        await shop.regions.get_one(1, options=[selectinload(Region.nations)])
        assert [nation.id for nation in held.nations] == [1]


async def test_an_unloaded_relationship_of_an_added_entity_raises(shop_db):
    async with Shop(shop_db) as shop:
        added = nation(3, region_id=1)
        await shop.nations.add(added)
        with pytest.raises(NotLoaded):
            _ = added.customers


async def test_an_unloaded_relationship_of_an_entity_added_with_another_raises(shop_db):
    async with Shop(shop_db) as shop:
        added = models.Region(id=3, name="", comment="", nations=[nation(3, region_id=3)])
        await shop.regions.add(added)
        with pytest.raises(NotLoaded, match=r"Nation\.customers"):
            _ = added.nations[0].customers


async def test_a_relationship_filled_before_its_entity_is_added_stays(shop_db):
    async with Shop(shop_db) as shop:
        added = models.Region(id=3, name="", comment="", nations=[nation(3, region_id=3)])
        await shop.regions.add(added)
        assert (len(added.nations), added.nations[0].region) == (1, added)


async def test_a_relationship_of_an_added_entity_loads_with_an_option(shop_db):
    async with Shop(shop_db) as shop:
        added = nation(3, region_id=1)
        await shop.nations.add(added)
        await shop.nations.get_one(3, options=[selectinload(Nation.customers)])
        assert added.customers == []


async def test_a_relationship_mapped_to_load_eagerly_does(db):
    await Accounts(db).add(Account(id=1, owner="alice", balance=0))
    await Entries(db).add(Entry(account_id=1, note=""))
    assert (await Entries(db).get_one(1)).account.owner == "alice"


async def test_what_loads_eagerly_raises_for_the_rest(read_only):
    found = await Customers(read_only).get_one(1, options=[joinedload(Customer.nation)])
    with pytest.raises(NotLoaded, match=r"Nation\.region"):
        _ = found.nation.region


async def test_every_relationship_of_the_shop_has_a_repository_that_raises(read_only):
    repositories = [Regions, Nations, Customers, Orders, OrderLines, PartSupplies]
    for repository in repositories:
        found = (await repository(read_only).list(limit=1))[0]
        assert inspect(found).unloaded == set(inspect(repository.model).relationships.keys())
