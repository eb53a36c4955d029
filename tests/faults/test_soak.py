"""What a service keeps has an end, however long it runs and however new its statements are."""

from __future__ import annotations

import gc

import pytest

from bench.soak_caches import bounded, cache_entries, prepared_statements
from bench.soak_churn import CHURNS, type_of
from bench.soak_rows import Purses, create
from dal import Database, PoolConfig

# What the largest cache holds. SQLAlchemy's own are half as large again before they are cleaned up.
MOST = 1000
MOST_OF_SQLALCHEMY = 750
# What SQLAlchemy and asyncpg keep for one connection: a hundred each, and as above.
STATEMENTS_AT_MOST = 260
ROUNDS = 30
# Whose ends the other tests look at; what is told of forks is told of as many queues.
BY_THE_OTHERS = {
    "Database.statements", "sqlalchemy.compiled_cache", "Database.lookups._queues", "dal.pool.forked._heirs",
}  # fmt: skip


@pytest.fixture
async def busy(empty_database_url):
    async with Database(empty_database_url, pool=PoolConfig(size=1)) as db:
        await create(db)
        yield db


async def _churn(db, numbers):
    for number in numbers:
        for churn in CHURNS:
            await churn(db, number)


async def test_whatever_is_new_is_kept_in_something_that_has_an_end(busy):
    await _churn(busy, range(5))
    gc.collect()  # of what other tests have left
    before = cache_entries(busy)
    await _churn(busy, range(5, 5 + ROUNDS))
    after = cache_entries(busy)
    grown = {name for name in after if after[name] - before.get(name, 0) >= ROUNDS}
    assert grown >= BY_THE_OTHERS
    assert grown - BY_THE_OTHERS <= bounded(MOST)


async def test_each_connection_has_so_many_statements_at_the_most(busy):
    most = 0
    for start in range(0, 120, 20):
        await _churn(busy, range(start, start + 20))
        most = max(most, *await prepared_statements(busy))
    assert 100 <= most <= STATEMENTS_AT_MOST
    found = cache_entries(busy)
    assert found["Database.statements"] <= MOST_OF_SQLALCHEMY
    assert found["sqlalchemy.compiled_cache"] <= MOST_OF_SQLALCHEMY


async def test_queues_of_lookups_have_an_end_and_keep_what_came_last(busy, monkeypatch):
    monkeypatch.setattr("dal.projection.coalescing.KEPT", 20)
    for number in range(60):
        await Purses(busy).get(1, into=type_of(number))
        assert cache_entries(busy)["Database.lookups._queues"] == min(number + 1, 20)
    assert cache_entries(busy)["Database.lookups._lanes"] == 0
