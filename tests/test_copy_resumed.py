"""A load that commits on its way goes on where it was ended: no record is lost, and none is loaded twice."""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets

import pyarrow as pa
import pytest

from dal import Database, DatabaseConfig, PoolConfig, UnitOfWork
from dal.copy import Conflict, Rejecting
from dal.errors import CheckViolation, CopyError, DatabaseError
from tests.cancelling import until_quiet
from tests.looking import backends, count, until, until_waiting_for_a_lock
from tests.models import Accounts


class Broke(Exception):
    """Ends a load in the middle."""


def _records(first, last, *, breaks_at=None):
    for number in range(first, last + 1):
        if number == breaks_at:
            raise Broke
        yield (number, f"owner {number}", number)


@pytest.fixture(params=[1, 3], ids=["one worker", "three workers"])
def workers(request):
    return request.param


async def test_what_was_committed_stays_when_the_load_fails(db, outside, workers):
    with pytest.raises(Broke):
        await Accounts(db).copy_in(_records(1, 50_000, breaks_at=40_000), commit_every=10_000, workers=workers)
    loaded = await count(outside, "account")
    assert 0 < loaded < 40_000
    assert loaded == await outside.fetchval("SELECT max(id) FROM account")


async def test_a_load_goes_on_where_it_was_ended(db, outside, workers):
    for breaks_at in (9_000, 30_000, 30_001, 45_000):
        with pytest.raises(Broke):
            await Accounts(db).copy_in(
                _records(1, 50_000, breaks_at=breaks_at), commit_every=5_000, resume="accounts", workers=workers
            )
    report = await Accounts(db).copy_in(_records(1, 50_000), commit_every=5_000, resume="accounts", workers=workers)
    assert report.rows < 20_000
    row = await outside.fetchrow("SELECT count(*), count(DISTINCT id), sum(balance) FROM account")
    assert tuple(row) == (50_000, 50_000, 50_000 * 50_001 // 2)


async def test_a_load_that_was_done_does_nothing(db, outside):
    await Accounts(db).copy_in([(1, "a", 1)], resume="once")
    report = await Accounts(db).copy_in([(1, "a", 1)], resume="once")
    assert report.rows == 0
    assert await count(outside, "account") == 1


async def test_a_load_that_is_ended_again_when_nothing_is_left_is_not_loaded_again(db, outside, workers):
    await outside.execute("BEGIN; LOCK TABLE account IN SHARE UPDATE EXCLUSIVE MODE")  # ANALYZE waits, rows do not
    for _ in range(2):
        load = asyncio.create_task(_load_all(db, workers))
        await until_waiting_for_a_lock(outside)
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        await until_quiet(outside)
    await outside.execute("ROLLBACK")
    await _load_all(db, workers)
    row = await outside.fetchrow("SELECT (SELECT count(*) FROM account), records, rows, is_done FROM dal_loads")
    assert tuple(row) == (10, 10, 10, True)


async def _load_all(db, workers):
    await Accounts(db).copy_in(_records(1, 10), resume="all", commit_every=5, analyze=True, workers=workers)


async def test_a_part_whose_checkpoint_is_refused_is_not_there(db, outside, workers):
    await Accounts(db).copy_in(_records(1, 1), resume="first")
    await outside.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE OF records ON dal_loads FOR EACH ROW EXECUTE FUNCTION refuse();
    """)
    with pytest.raises(DatabaseError, match="not now"):
        await Accounts(db).copy_in(_records(2, 11), resume="all", commit_every=5, workers=workers)
    assert await count(outside, "account") == 1


async def test_the_name_of_another_load_is_refused(db):
    await Accounts(db).copy_in([(1, "a", 1)], resume="mine")
    with pytest.raises(CopyError, match="the load 'mine' has total_rows 1, and this one 2: it is of another source"):
        await Accounts(db).copy_in([(1, "a", 1), (2, "b", 2)], resume="mine")


async def test_two_that_go_on_with_one_load_do_not_load_twice(db, outside):

    with pytest.raises(Broke):
        await Accounts(db).copy_in(_records(1, 20_000, breaks_at=10_000), commit_every=5_000, resume="shared")
    first = _records(1, 20_000)
    slow = [next(first) for _ in range(10)]

    async def both():
        for record in slow:
            yield record
        await Accounts(db).copy_in(_records(1, 20_000), commit_every=5_000, resume="shared")
        for record in first:
            yield record

    with pytest.raises(CopyError, match="is gone on with by somebody else"):
        await Accounts(db).copy_in(both(), commit_every=5_000, resume="shared")
    assert await count(outside, "account") == 20_000


async def test_first_loads_of_a_database_may_begin_at_once(database_url, outside):
    async with Database(database_url, pool=PoolConfig(size=8)) as db:
        loads = [Accounts(db).copy_in([(n, f"owner {n}", 1)], resume=f"load {n}") for n in range(8)]
        async with asyncio.timeout(30):
            await asyncio.gather(*loads)
    assert await count(outside, "account") == 8


async def test_one_load_that_is_begun_twice_at_once_loads_once(database_url, outside):
    async with Database(database_url, pool=PoolConfig(size=4)) as db:
        loads = [Accounts(db).copy_in(_records(1, 1_000), commit_every=100, resume="twice") for _ in range(4)]
        ends = await asyncio.gather(*loads, return_exceptions=True)
    assert {type(end) for end in ends if isinstance(end, BaseException)} <= {CopyError}
    assert await count(outside, "account") == 1_000


async def test_a_role_that_may_create_nothing_loads_in_parts_once_the_table_of_loads_is_there(db, outside, role_url):
    await Accounts(db).copy_in([(1, "a", 1)], resume="by somebody who may")
    await outside.execute(f'GRANT SELECT, INSERT, UPDATE ON account, dal_loads TO "{role_url.username}"')
    async with Database(role_url, pool=PoolConfig(size=1)) as restricted:
        await Accounts(restricted).copy_in([(2, "b", 1)], resume="by somebody who may not")
    await outside.execute(f'REVOKE ALL ON account, dal_loads FROM "{role_url.username}"')
    assert await count(outside, "account") == 2


async def test_each_part_may_reject_and_merge(db, tmp_path, workers):
    records = [{"id": n, "owner": f"owner {n}" if n % 1000 else None, "balance": n} for n in range(1, 30_001)]
    await Accounts(db).copy_in(records[:10], on_conflict="skip")
    report = await Accounts(db).copy_in(
        records,
        commit_every=7_000,
        on_conflict=Conflict("update"),
        on_error=Rejecting(tmp_path / "bad.ndjson"),
        workers=workers,
    )
    assert (report.rows, report.updated, report.rejected) == (29_960, 10, 30)
    lines = (tmp_path / "bad.ndjson.reasons.ndjson").read_text().splitlines()
    assert [json.loads(line)["record"] for line in lines] == list(range(1_000, 30_001, 1_000))


async def test_a_file_of_arrow_goes_on_too(db, outside):
    table = pa.table({"id": range(30_000), "owner": [f"owner {n}" for n in range(30_000)], "balance": range(30_000)})
    calls = 0

    def stop(_):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Broke

    with pytest.raises(Broke):
        await Accounts(db).copy_in(table, commit_every=8_192, resume="arrow", on_progress=stop)
    await Accounts(db).copy_in(table, commit_every=8_192, resume="arrow")
    row = await outside.fetchrow("SELECT count(*), count(DISTINCT id), sum(balance) FROM account")
    assert tuple(row) == (30_000, 30_000, sum(range(30_000)))


REFUSED = {
    "no records": ({"commit_every": 0}, "commit_every= is a number of records, at least 1"),
    "a replacement": ({"resume": "x", "on_conflict": "replace"}, "on_conflict='replace' is one transaction"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_in_parts_is_refused(db, case):
    options, message = REFUSED[case]
    with pytest.raises(CopyError, match=message):
        await Accounts(db).copy_in([(1, "a", 1)], **options)


async def test_a_unit_of_work_commits_once(db):
    async with UnitOfWork(db) as unit:
        with pytest.raises(CopyError, match="a unit of work is one transaction"):
            await Accounts(unit).copy_in([(1, "a", 1)], commit_every=1)


async def test_what_was_rejected_before_a_load_was_ended_stays_in_the_file(db, tmp_path, workers):
    def records(breaks_at=None):
        for id_, owner, balance in _records(1, 30_000, breaks_at=breaks_at):
            yield (id_, None if id_ in (5, 29_000) else owner, balance)

    rejecting = Rejecting(tmp_path / "bad.csv")
    with pytest.raises(Broke):
        await Accounts(db).copy_in(
            records(25_000), commit_every=5_000, resume="rejects", on_error=rejecting, workers=workers
        )
    await Accounts(db).copy_in(records(), commit_every=5_000, resume="rejects", on_error=rejecting, workers=workers)
    assert (tmp_path / "bad.csv").read_text().splitlines() == ['"id","owner","balance"', '"5",,"5"', '"29000",,"29000"']
    lines = (tmp_path / "bad.csv.reasons.ndjson").read_text().splitlines()
    assert [json.loads(line)["record"] for line in lines] == [5, 29_000]


async def test_a_reject_file_that_was_changed_meanwhile_is_not_written_over(db, outside, tmp_path):
    rejecting = Rejecting(tmp_path / "bad.csv")
    records = [(number, None if number == 5 else "a", 1) for number in range(1, 20_001)]
    with pytest.raises(Broke):
        await Accounts(db).copy_in(
            _with(records, breaks_at=15_000), commit_every=5_000, resume="own", on_error=rejecting
        )
    (tmp_path / "bad.csv").write_text("mine\n")
    loaded = await count(outside, "account")
    with pytest.raises(CopyError, match=r"bad\.csv is shorter than what was rejected before"):
        await Accounts(db).copy_in(_with(records), commit_every=5_000, resume="own", on_error=rejecting)
    assert (tmp_path / "bad.csv").read_text() == "mine\n"
    assert await count(outside, "account") == loaded > 0


def _with(records, *, breaks_at=None):
    for record in records:
        if record[0] == breaks_at:
            raise Broke
        yield record


async def test_parts_of_several_workers_that_bring_the_same_keys_wait_for_no_turn(db, outside):
    records = [(number % 1_000 + 1, f"owner {number}", number) for number in range(60_000)]
    report = await Accounts(db).copy_in(records, commit_every=5_000, workers=4, on_conflict="update")
    assert (report.rows, report.updated) == (1_000, 7_000)  # parts of two chunks: each has every key
    assert await outside.fetchval("SELECT min(balance) FROM account") == 59_000


async def test_a_part_that_fails_lets_those_before_it_be_committed(db, outside):
    records = [(number, f"owner {number}", -1 if number == 30_000 else number) for number in range(1, 60_001)]
    with pytest.raises(CheckViolation, match=r"The first [0-9,]+ records are settled and stay"):
        await Accounts(db).copy_in(records, commit_every=4_096, workers=3)
    assert await count(outside, "account") == 28_672


async def test_more_rejects_than_may_be_are_counted_over_all_parts(db, outside):
    records = [(number, f"owner {number}", number if number % 5_000 else -1) for number in range(1, 40_001)]
    with pytest.raises(CopyError, match="5 records were rejected, and at most 4 may be"):
        await Accounts(db).copy_in(records, commit_every=4_096, workers=3, on_error=Rejecting(at_most=4))
    assert await count(outside, "account") == 24_572


async def test_several_workers_that_are_cancelled_leave_whole_parts(db, outside):
    begun = asyncio.Event()

    def committed(progress):
        if progress.committed:
            begun.set()

    records = [(number, f"owner {number}", number) for number in range(1, 100_001)]
    load = asyncio.create_task(
        Accounts(db).copy_in(records, commit_every=4_096, workers=3, resume="ended", on_progress=committed)
    )
    await begun.wait()
    load.cancel()
    with pytest.raises(asyncio.CancelledError):
        await load
    loaded = await count(outside, "account")
    assert loaded == await outside.fetchval("SELECT records FROM dal_loads WHERE name = 'ended'")
    assert db.pool.status().checked_out == 0
    await Accounts(db).copy_in(records, commit_every=4_096, workers=3, resume="ended")
    assert await count(outside, "account") == 100_000


async def test_what_a_part_rejects_whose_commit_is_still_under_way_stays_in_the_file(db, outside, tmp_path):
    await Accounts(db).copy_in([(0, "first", 0)], resume="makes the table of loads")
    await outside.execute(_LATE + "SELECT pg_advisory_lock(1)")
    records = [(number, None if number in (5, 9_000) else f"owner {number}", 1) for number in range(1, 10_001)]
    rejecting = Rejecting(tmp_path / "bad.csv")

    def load(source):
        return Accounts(db).copy_in(source, commit_every=5_000, resume="late", on_error=rejecting)

    first = asyncio.create_task(load(_with(records, breaks_at=9_999)))
    await until_waiting_for_a_lock(outside)
    second = asyncio.create_task(load(_with(records)))
    await until(lambda: _two_wait(outside))
    await outside.execute("SELECT pg_advisory_unlock(1)")
    await asyncio.gather(first, second, return_exceptions=True)
    await load(_with(records))
    assert await count(outside, "account") == 9_999
    reasons = (tmp_path / "bad.csv.reasons.ndjson").read_text().splitlines()
    assert [json.loads(each)["record"] for each in reasons] == [5, 9_000]


_LATE = """
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$;
CREATE TRIGGER late AFTER UPDATE ON dal_loads FOR EACH ROW EXECUTE FUNCTION late();
"""


async def _two_wait(outside):
    return [row["wait_event_type"] for row in await backends(outside)].count("Lock") == 2


async def test_records_that_are_broken_in_the_source_are_committed_on_the_way_too(db, tmp_path, workers):
    file = tmp_path / "a.csv"
    file.write_text("id,owner,balance\n" + "ragged\n" * 40_000)
    seen = set()
    report = await Accounts(db).copy_in(
        file,
        commit_every=5_000,
        workers=workers,
        on_error="reject",
        on_progress=lambda progress: seen.add(progress.committed),
    )
    assert (report.rejected, max(seen)) == (40_000, 40_000)
    assert len(seen) > 4


async def test_what_was_dealt_before_a_source_fails_is_committed(db, outside):
    await outside.execute("BEGIN; LOCK TABLE account IN SHARE MODE")  # it may be looked at, and waits for its rows
    broken = asyncio.Event()

    async def records():
        for record in _records(1, 16_384):
            await asyncio.sleep(0)  # the others come for a part meanwhile
            yield record
        broken.set()
        raise Broke

    load = asyncio.create_task(Accounts(db).copy_in(records(), commit_every=5_000, workers=3))
    await broken.wait()
    await until_waiting_for_a_lock(outside)
    await outside.execute("ROLLBACK")
    with pytest.raises(Broke):
        await load
    assert await count(outside, "account") == 16_384


async def test_a_source_that_fails_in_the_middle_says_what_stays(db, outside, tmp_path, workers):
    file = tmp_path / "a.csv.gz"
    rows = "".join(f"{number},{secrets.token_hex(40)},1\n" for number in range(60_000)).encode()
    file.write_bytes(gzip.compress(b"id,owner,balance\n" + rows)[:-100_000])
    with pytest.raises(CopyError, match=r"a\.csv\.gz cannot be read to its end: .*") as caught:
        await Accounts(db).copy_in(file, commit_every=5_000, workers=workers)
    loaded = await count(outside, "account")
    assert loaded > 0
    assert str(caught.value).endswith(f". The first {loaded:,} records are settled and stay.")


async def test_a_part_that_fails_before_another_is_committed_says_what_stays_in_the_end(db, outside):
    await outside.execute("BEGIN; LOCK TABLE account IN SHARE MODE")  # the first part waits for its rows
    records = [*_records(1, 4_096), ("a record", "of another length")]
    load = asyncio.create_task(Accounts(db).copy_in(records, commit_every=4_096, workers=3))
    await until_waiting_for_a_lock(outside)
    await until(lambda: db.pool.status().checked_out == 1)
    await outside.execute("ROLLBACK")
    with pytest.raises(
        CopyError, match=r"^record 4,097: 2 fields in .*3\. The first 4,096 records are settled and stay"
    ):
        await load
    assert await count(outside, "account") == 4_096


async def test_a_name_is_not_taken_for_the_load_of_a_table_of_another_schema(database_url, db, outside):
    await Accounts(db).copy_in([(1, "a", 1)], resume="both")
    await outside.execute("CREATE SCHEMA tenant; CREATE TABLE tenant.account (LIKE account)")
    config = DatabaseConfig(
        url=database_url, pool=PoolConfig(size=1), server_settings={"search_path": "tenant, public"}
    )
    async with Database(config) as tenant:
        with pytest.raises(CopyError, match=r"'both' has target public\.account, and this one tenant\.account"):
            await Accounts(tenant).copy_in([(1, "a", 1)], resume="both")
        assert (await Accounts(tenant).copy_in([(1, "a", 1)], resume="the tenant's")).rows == 1
