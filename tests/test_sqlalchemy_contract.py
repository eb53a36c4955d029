"""What dal overrides and calls of SQLAlchemy's and asyncpg's private parts is there, as it counts on it.

A failure here says that a release has changed what `dal.pool.queue_pool`, `dal.loading.raising` or
`dal.testing.sandbox.transaction` stand on.
"""

import asyncio
import inspect

import pytest
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.orm import InstanceState, RelationshipProperty, raiseload
from sqlalchemy.orm.strategies import _LazyLoader, _LoadLazyAttribute
from sqlalchemy.orm.strategy_options import _WildcardLoad

from dal.demo.models import Order
from dal.loading import raising
from dal.pool import LeasedQueuePool
from tests.looking import connect

# A function, and how its arguments begin.
ARGUMENTS = [
    (AsyncAdaptedQueuePool._do_get, ["self"]),
    (AsyncAdaptedQueuePool.recreate, ["self"]),
    (_LazyLoader.__init__, ["self", "parent", "strategy_key"]),
    (_LazyLoader._load_for_state, ["self", "state", "passive"]),
    (_LazyLoader._invoke_raise_load, ["self", "state", "passive", "lazy"]),
    (_LazyLoader.setup_query, ["self"]),
    (_LazyLoader.create_row_processor, ["self"]),
    (_LoadLazyAttribute.__init__, ["self", "key", "initiating_strategy", "loadopt", "extra_criteria"]),
    (_WildcardLoad._set_relationship_strategy, ["self", "attr", "strategy"]),
    (RelationshipProperty._get_strategy, ["self", "key"]),
    (RelationshipProperty.strategy_for, ["kw"]),
    (InstanceState._instance_level_callable_processor, ["manager", "fn", "key"]),
]


@pytest.mark.parametrize(("function", "beginning"), ARGUMENTS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_the_arguments_are_those_that_dal_counts_on(function, beginning):
    assert list(inspect.signature(function).parameters)[: len(beginning)] == beginning


def test_whatever_the_pool_overrides_is_there():
    assert {"_do_get", "recreate"} <= set(vars(LeasedQueuePool)) & set(dir(AsyncAdaptedQueuePool))


def test_whatever_the_loader_overrides_is_there():
    overridden = {name for name in vars(raising._RaisingLoader) if not name.startswith("__")} - {"strategy_opts"}
    assert {name for name in overridden if callable(getattr(raising._RaisingLoader, name))} <= set(dir(_LazyLoader))


def test_the_loader_has_the_flag_that_makes_it_raise():
    strategy = Order.customer.property._get_strategy((("lazy", "raise_on_sql"),))
    assert strategy._raise_on_sql is True


def test_a_wildcard_is_spelt_as_dal_spells_it():
    assert raiseload("*").path == raising._option.path


def test_reads_do_not_fall_back_to_the_public_option():
    assert isinstance(raising._option, _WildcardLoad)


async def test_asyncpg_keeps_its_transport_where_the_sandbox_takes_it_over(database_url):
    driver = await connect(database_url)
    assert isinstance(driver._transport, asyncio.Transport)
    await driver.close()
