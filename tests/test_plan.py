"""Loading plans load what they name, and nothing that would multiply rows."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKey, insert
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.orm.exc import DetachedInstanceError

from dal import Database, Plan, Repository, UnitOfWork, load
from dal.demo.models import Customer, Order, OrderLine
from dal.testing import assert_statements
from tests import lazy_models as models
from tests.lazy_models import EACH, HALLS, IS_PUBLIC, Book, Door, Hall, Halls, Library, Shelf

WHOLE = Plan(Hall.shelves, Hall.doors, Shelf.books)


@pytest.fixture
async def halls(database_url):
    async with Database(database_url) as db:
        await models.create(db)
        yield Halls(db)


async def test_collections_are_a_statement_each_for_all(halls):
    with assert_statements(4):
        found = await halls.list(options=WHOLE)
    assert sum(len(shelf.books) for hall in found for shelf in hall.shelves) == HALLS * EACH * EACH
    assert sum(len(hall.doors) for hall in found) == HALLS


async def test_what_leads_to_one_is_joined(halls):
    with assert_statements(1):
        found = await models.Shelves(halls._source).list(options=Plan(Shelf.hall))
    assert {shelf.hall.name for shelf in found} == {f"hall {n}" for n in range(1, HALLS + 1)}


async def test_a_collection_is_joined_if_it_is_asked_for(halls):
    with assert_statements(1):
        found = await halls.list(options=Plan(Hall.shelves, Shelf.books, joined=[Hall.shelves, Shelf.books]))
    assert sum(len(shelf.books) for hall in found for shelf in hall.shelves) == HALLS * EACH * EACH


async def test_a_plan_goes_with_other_options_and_methods(halls):
    found = await halls.get_one(1, options=[*Plan(Hall.doors), *Plan(Hall.shelves)])
    assert (len(found.doors), len(found.shelves)) == (1, EACH)


async def test_load_takes_a_plan(halls):
    async with Library(halls._source) as unit:
        found = await unit.halls.list()
        with assert_statements(6 if IS_PUBLIC else 3):
            await load(found, WHOLE)
    assert sum(len(shelf.books) for hall in found for shelf in hall.shelves) == HALLS * EACH * EACH


def test_plans_are_values():
    assert Plan(Hall.doors) | Plan(Hall.shelves, Shelf.books) == Plan(Hall.doors, Hall.shelves, Shelf.books)
    assert len({Plan(Hall.doors), Plan(Hall.doors), Plan(Hall.doors, Hall.shelves)}) == 2
    assert Plan(Hall.doors) != Plan(Hall.doors, joined=[Hall.doors])
    assert repr(Plan(Order.customer, Order.lines)) == "Plan(Order.customer, Order.lines)"


class Branch(models.Base):
    """Grows from another one."""

    __tablename__ = "plan_branch"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("plan_branch.id"))
    children: Mapped[list[Branch]] = relationship()


@pytest.fixture
async def branches(database_url):
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Branch.metadata.create_all)
            for number in range(1, 6):
                await connection.execute(insert(Branch).values(id=number, parent_id=number - 1 or None))
        yield Branches(db)


class Branches(Repository[Branch]):
    """Branches."""


class Tree(UnitOfWork):
    """One transaction."""

    branches: Branches


async def test_each_time_that_a_class_leads_to_itself_is_a_level(branches):
    plan = Plan(Branch.children, Branch.children)
    with assert_statements(3):
        found = await branches.get_one(1, options=plan)
    with pytest.raises(DetachedInstanceError):
        _ = found.children[0].children[0].children
    async with Tree(branches._source) as unit:
        found = await unit.branches.get_one(1)
        with assert_statements(4 if IS_PUBLIC else 2):
            await load(found, plan)
        with assert_statements(0):
            assert found.children[0].children[0].id == 3


def test_what_two_plans_both_name_is_loaded_once():
    assert len(Plan(Hall.shelves, Shelf.books) | Plan(Hall.shelves)) == 1


def test_two_joined_collections_of_one_entity_are_refused_with_their_size():
    with pytest.raises(TypeError, match=r"Hall\.doors and Hall\.shelves .* 100 rows for each Hall, in the place of 20"):
        Plan(Hall.doors, Hall.shelves, joined=[Hall.doors, Hall.shelves])
    with pytest.raises(TypeError, match="joined in one statement"):  # through what is joined itself
        Plan(Shelf.hall, Shelf.books, Hall.doors, joined=[Hall.doors, Shelf.books])
    Plan(Hall.shelves, Shelf.books, Hall.doors, joined=[Hall.doors, Shelf.books])  # in two statements


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ([], "a plan is of relationships"),
        ([Hall.name], "no relationship"),
        (["shelves"], "no relationship"),
        ([Hall.shelves, Book.shelf], r"Book\.shelf is of Book, and the plan has come to Hall, Shelf so far"),
        ([Order.customer, OrderLine.part], "come to Customer, Order so far"),
        ([Customer.orders, Door], "no relationship"),
    ],
)
def test_what_is_no_plan_is_refused(attributes, said):
    with pytest.raises(TypeError, match=said):
        Plan(*attributes)
