"""Several files are one source; a form is stronger than a name; a load says what of it stays."""

import pytest
from sqlalchemy.exc import IntegrityError

from dal.copy import Ndjson, Rejecting
from dal.errors import CopyError
from tests.looking import count
from tests.models import Accounts

NAMES = "id,owner,balance\n"


def _file(folder, name, *ids, head=NAMES):
    path = folder / name
    path.write_text(head + "".join(f"{n},owner {n},{n}\n" for n in ids))
    return path


async def test_a_list_of_paths_is_one_source_in_its_order(db, outside, tmp_path):
    paths = [_file(tmp_path, "b.csv", 1, 2), _file(tmp_path, "a.csv", 3)]
    report = await Accounts(db).copy_in(paths)
    assert report.rows == await count(outside, "account") == 3


async def test_records_are_numbered_over_a_list_of_paths(db, tmp_path):
    paths = [_file(tmp_path, "b.csv", 1, 2), _file(tmp_path, "a.csv", 3, -1)]
    (rejected,) = (await Accounts(db).copy_in(paths, on_error="reject")).rejects
    assert rejected.record == 4


async def test_a_form_says_that_a_file_of_any_name_is_ndjson(db, outside, tmp_path):
    (tmp_path / "data").write_text('{"id": 1, "owner": "a", "balance": 2}\n')
    await Accounts(db).copy_in(tmp_path / "data", form=Ndjson())
    assert await count(outside, "account") == 1


async def test_a_stream_of_bytes_may_be_ndjson(db, outside, tmp_path):
    (tmp_path / "data").write_text('{"id": 1, "owner": "a", "balance": 2}\n')
    with (tmp_path / "data").open("rb") as stream:
        await Accounts(db).copy_in(stream, form=Ndjson())
    assert await count(outside, "account") == 1


def test_a_form_without_formats_is_refused():
    with pytest.raises(CopyError, match="dates has no format for 'day'"):
        Ndjson({"day": ""})


async def test_a_load_in_parts_that_fails_says_what_stays(db, outside, tmp_path):
    path = _file(tmp_path, "a.csv", *range(20_000), -1, 2**40)
    with pytest.raises(CopyError, match=r"The first 16,384 records are settled and stay\.$"):
        await Accounts(db).copy_in(path, commit_every=8_192, on_error=Rejecting(at_most=0))
    assert await count(outside, "account") == 16_384


async def test_a_load_in_parts_that_the_server_ends_says_what_stays(db, outside, tmp_path):
    path = _file(tmp_path, "a.csv", *range(20_000), -1)
    with pytest.raises(IntegrityError, match=r"The first 16,384 records are settled and stay\.$"):
        await Accounts(db).copy_in(path, commit_every=8_192)
    assert await count(outside, "account") == 16_384


async def test_progress_tells_what_is_committed(db, outside, tmp_path):
    seen = []
    await Accounts(db).copy_in(_file(tmp_path, "a.csv", *range(20_000)), commit_every=8_192, on_progress=seen.append)
    assert seen[-1].committed == 20_000
    assert len({each.committed for each in seen}) > 2


async def test_progress_of_one_transaction_has_nothing_committed(db, tmp_path):
    seen = []
    await Accounts(db).copy_in(_file(tmp_path, "a.csv", *range(20_000)), on_progress=seen.append)
    assert {each.committed for each in seen} == {0}
