"""Several connections load at once, and what they load is there at once, or not at all."""

from __future__ import annotations

import pytest

from dal import UnitOfWork
from dal.errors import CopyError, UniqueViolation
from tests.looking import count
from tests.models import Accounts, Everythings

ROWS = 40_000


def _records(last=ROWS, **more):
    return [{"id": n, "owner": f"owner {n}", "balance": n} | more for n in range(1, last + 1)]


async def _left(outside):
    return await outside.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE 'dal\\_load\\_%'")


async def _whole(outside):
    row = await outside.fetchrow("SELECT count(*), count(DISTINCT id), sum(balance) FROM account")
    return tuple(row) == (ROWS, ROWS, ROWS * (ROWS + 1) // 2)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_every_record_is_loaded_once(db, outside, is_async):
    async def give():
        for record in _records():
            yield record

    report = await Accounts(db).copy_in(give() if is_async else _records(), workers=3)
    assert report.rows == ROWS
    assert await _whole(outside)
    assert await _left(outside) == 0


async def test_a_record_that_is_refused_fails_all_of_it(db, outside):
    await Accounts(db).copy_in(_records(1))
    with pytest.raises(UniqueViolation):
        await Accounts(db).copy_in(_records(), workers=2)
    assert await count(outside, "account") == 1
    assert await _left(outside) == 0


async def test_a_source_that_breaks_fails_all_of_it(db, outside):
    def breaks():
        yield from _records()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await Accounts(db).copy_in(breaks(), workers=2)
    assert await count(outside, "account") == 0
    assert await _left(outside) == 0


async def test_workers_may_reject_and_merge(db, outside):
    await Accounts(db).copy_in(_records(10))
    records = _records()
    records[20_000]["owner"] = None
    records[30_000]["balance"] = "much"
    report = await Accounts(db).copy_in(records, workers=2, on_conflict="update", on_error="reject")
    assert (report.rows, report.updated, report.rejected) == (ROWS - 12, 10, 2)
    assert sorted(each.record for each in report.rejects) == [20_001, 30_001]
    assert await count(outside, "account") == ROWS - 2


async def test_workers_may_reject(db, outside):
    records = _records()
    records[20_000]["owner"] = "owner 1"
    report = await Accounts(db).copy_in(records, workers=2, on_error="reject")
    assert (report.rows, report.rejected, report.rejects[0].record) == (ROWS - 1, 1, 20_001)
    assert await count(outside, "account") == ROWS - 1


async def test_a_table_is_replaced_by_workers(db, outside):
    await Everythings(db).copy_in([{"id": -1}])
    await Everythings(db).copy_in([{"id": n} for n in range(20_000)], workers=2, on_conflict="replace")
    assert tuple(await outside.fetchrow("SELECT count(*), min(id) FROM everything")) == (20_000, 0)


REFUSED = {
    "none": ({"workers": 0}, "at least 1"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_workers_that_cannot_be_are_refused(db, case):
    options, message = REFUSED[case]
    with pytest.raises(CopyError, match=message):
        await Accounts(db).copy_in(_records(1), **options)


async def test_a_unit_of_work_has_one_connection(db):
    async with UnitOfWork(db) as unit:
        with pytest.raises(CopyError, match="one transaction on one connection"):
            await Accounts(unit).copy_in(_records(1), workers=2)
