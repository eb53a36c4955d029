"""Tests that any service can have, to be imported into a test file: of what the fixture `pg_migrations` says."""

from __future__ import annotations

import asyncio

from dal.database import Database
from dal.migrations import upgrade
from dal.migrations.drift import Drift, check_models
from dal.pool_config import PoolConfig
from dal.testing.kit import Kit
from dal.testing.migrations.history import Migrations
from dal.testing.migrations.round_trips import assert_round_trips


def test_there_is_a_single_head(pg_migrations: Migrations) -> None:
    """Two heads are two people's revisions after the same one."""
    __tracebackhide__ = True
    heads = [each.revision for each in pg_migrations.revisions() if each.is_head]
    if len(heads) > 1:
        raise AssertionError(f"there are {len(heads)} heads, {', '.join(sorted(heads))}: alembic merge heads")


def test_every_revision_goes_up_and_down_and_up_again(pg_migrations: Migrations, pg_kit: Kit) -> None:
    """Each leaves what was there before it, and makes the same again, with rows of the seeds on it."""
    __tracebackhide__ = True
    asyncio.run(assert_round_trips(pg_migrations, pg_kit.empty_database))


def test_the_models_are_what_the_migrations_make(pg_migrations: Migrations, pg_kit: Kit) -> None:
    """Autogenerate, as env.py configures it, would write nothing."""
    __tracebackhide__ = True
    drift = asyncio.run(_drift(pg_migrations, pg_kit))
    if not drift.is_none:
        raise AssertionError(str(drift))


async def _drift(migrations: Migrations, kit: Kit) -> Drift:
    with kit.empty_database() as url:
        async with Database(url, pool=PoolConfig(size=1, min_idle=0)) as db:
            await upgrade(db, "heads", ini=migrations.ini)
            return await check_models(db, ini=migrations.ini, ignore=migrations.ignore)
