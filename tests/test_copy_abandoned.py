"""Tables of loads that were killed are dropped by a load that comes later; those of loads that go on are not."""

from __future__ import annotations

import time

from dal.copy.abandoned import OLD_MINUTES, new_name
from tests.looking import count
from tests.models import Accounts

RECORDS = [{"id": 1, "owner": "o", "balance": 1}]


def _named(minutes_ago):
    return f"dal_load_{int(time.time()) // 60 - minutes_ago:07x}abcde"


async def _left(outside):
    found = await outside.fetch(r"SELECT relname FROM pg_class WHERE relname LIKE 'dal\_load\_%' AND relkind = 'r'")
    return {row[0] for row in found}


async def test_that_of_a_killed_load_is_dropped_and_one_that_was_made_just_now_is_not(db, outside):
    old, young, ours = _named(OLD_MINUTES + 1), _named(OLD_MINUTES - 2), "dal_load_of_ours"
    for name in (old, young, ours):
        await outside.execute(f"CREATE UNLOGGED TABLE {name} (a int)")
    await Accounts(db).copy_in(RECORDS, workers=2)
    assert await _left(outside) == {young, ours}


async def test_that_of_a_long_load_is_left_to_it(db, outside):
    old = _named(OLD_MINUTES * 24)
    await outside.execute(f"CREATE UNLOGGED TABLE {old} (a int)")
    async with outside.transaction():
        await outside.execute(f"INSERT INTO {old} VALUES (1)")
        await Accounts(db).copy_in(RECORDS, workers=2)
    assert (await _left(outside), await count(outside, "account")) == ({old}, 1)


def test_a_name_says_the_minute_and_is_like_the_ones_that_drift_leaves_alone():
    name = new_name()
    assert len(name) == len("dal_load_") + 12
    assert int(name[9:16], 16) - int(time.time()) // 60 in (0, -1)
