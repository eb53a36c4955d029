"""`dal load` in a process of its own: what is loaded, what is said, and by which exit code."""

from __future__ import annotations

import gzip
import json

import pyarrow.parquet as pq
import pytest

from tests.command import Command
from tests.looking import count
from tests.records import accounts


@pytest.fixture
def dal(database_url, tmp_path):
    return Command(database_url, tmp_path)


def _one_line(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("dal: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


async def _rows(outside, order="id"):
    return [tuple(row) for row in await outside.fetch(f"SELECT * FROM account ORDER BY {order}")]


# 0


MORE = ["statements", "peak memory"]


async def test_all_loaded_is_exit_code_0_and_a_table(dal, outside):
    done = dal.load(dal.accounts("a.csv", 1, 2, 3))
    assert (done.returncode, done.stderr) == (0, "")
    shown = dict(line.strip("│ ").split("│") for line in done.stdout.splitlines() if line.startswith("│"))
    shown = {name.strip(): number.strip() for name, number in shown.items()}
    assert list(shown) == ["loaded", "updated", "skipped", "rejected", "seconds", "rows/s", "bytes", *MORE]
    assert (shown["loaded"], shown["rejected"]) == ("3", "0")
    assert await count(outside, "account") == 3


async def test_several_connections_load_at_once(dal, outside):
    done = dal.load(dal.accounts("a.csv", 1, 2, 3), "--workers", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert await count(outside, "account") == 3


async def test_several_workers_commit_in_parts_too(dal, outside):
    found = dal.json(dal.accounts("a.csv", *range(20_000)), "--workers", "2", "--commit-every", "5000")
    assert found["loaded"] == await count(outside, "account") == 20_000


async def test_json_is_one_object_and_nothing_else(dal):
    done = dal.load("--json", dal.accounts("a.csv", 1, 2))
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    found = json.loads(done.stdout)
    assert list(found) == [
        "table",
        "dry_run",
        "loaded",
        "updated",
        "skipped",
        "rejected",
        "seconds",
        "rows_per_s",
        "sent_bytes",
        "statements",
        "peak_bytes",
        "phases",
        "rebuilt",
        "rejects",
    ]
    assert (found["table"], found["loaded"], found["rejects"]) == ("account", 2, [])


async def test_files_and_patterns_are_one_load_and_none_is_loaded_twice(dal, outside):
    dal.accounts("a1.csv", 1)
    dal.accounts("a2.csv", 2)
    assert dal.json("a*.csv", "a1.csv", dal.accounts("b.csv", 3))["loaded"] == 3


FORMATS = {
    "csv": (b"id,owner,balance\n1,a,2\n", []),
    "tsv": (b"id\towner\tbalance\n1\ta\t2\n", ["--format", "tsv"]),
    "ndjson": (b'{"id": 1, "owner": "a", "balance": 2}\n', ["--format", "ndjson"]),
    "packed": (gzip.compress(b"id,owner,balance\n1,a,2\n"), ["--format", "csv"]),
}


@pytest.mark.parametrize("case", FORMATS)
async def test_the_standard_input_is_loaded(dal, outside, case):
    data, options = FORMATS[case]
    assert dal.json("-", *options, given=data)["loaded"] == 1
    assert await _rows(outside) == [(1, "a", 2)]


@pytest.mark.parametrize("case", FORMATS)
async def test_a_format_is_stronger_than_a_name(dal, outside, case):
    data, options = FORMATS[case]
    (dal.folder / "data").write_bytes(data)
    dal.json("data", *(options or ["--format", "csv"]))
    assert await _rows(outside) == [(1, "a", 2)]


async def test_parquet_is_loaded(dal, outside):
    pq.write_table(accounts(1, 2), dal.folder / "a.parquet")
    assert dal.json("a.parquet")["loaded"] == 2


async def test_the_words_for_a_text_file_are_heard(dal, outside):
    (dal.folder / "a.csv").write_bytes("1;'zw''eí'; 7\nNA;x;8\n2;-;9\n".encode("latin-1"))
    found = dal.json(
        *("a.csv", "--delimiter", ";", "--quote", "'", "--encoding", "latin-1", "--null", "NA", "--null", "-"),
        *("--no-header", "--columns", "nr,owner,balance", "--rename", "nr=id", "--on-error", "reject"),
    )
    assert (found["loaded"], [each["record"] for each in found["rejects"]]) == (1, [2, 3])
    assert await _rows(outside) == [(1, "zw'eí", 7)]


async def test_a_delimiter_may_be_spelt(dal, outside):
    dal.accounts("a.csv", 1, delimiter="\t")
    assert dal.json("a.csv", "--delimiter", r"\t")["loaded"] == 1


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.csv", "id,on\n1,31.12.2026\n2,1/2/27\n"),
        ("a.ndjson", '{"id":1,"on":"31.12.2026"}\n{"id":2,"on":"1/2/27"}\n'),
    ],
)
async def test_dates_are_read_by_their_formats(dal, outside, name, line):
    await outside.execute('CREATE TABLE sale (id int, "on" date)')
    (dal.folder / name).write_text(line)
    done = dal("load", name, "--table", "sale", "--date", "on=%d.%m.%Y", "--date", "on=%d/%m/%y")
    assert done.returncode == 0, done.stderr
    found = await outside.fetch('SELECT "on"::text FROM sale ORDER BY id')
    assert [row["on"] for row in found] == ["2026-12-31", "2027-02-01"]


# Conflicts


async def _with_two(dal):
    dal.load(dal.accounts("first.csv", 1, 2))
    (dal.folder / "more.csv").write_text("id,owner,balance\n2,two,200\n3,three,300\n3,drei,301\n")


async def test_a_conflict_skips(dal, outside):
    await _with_two(dal)
    found = dal.json("more.csv", "--on-conflict", "skip", "--duplicates", "first")
    assert (found["loaded"], found["skipped"]) == (1, 2)
    assert await _rows(outside) == [(1, "owner 1", 1), (2, "owner 2", 2), (3, "three", 300)]


async def test_a_conflict_updates_the_columns_named(dal, outside):
    await _with_two(dal)
    found = dal.json("more.csv", "--on-conflict", "update", "--key", "id", "--update", "balance")
    assert (found["loaded"], found["updated"]) == (1, 1)
    assert await _rows(outside) == [(1, "owner 1", 1), (2, "owner 2", 200), (3, "drei", 301)]


async def test_a_conflict_replaces_once_for_all_files(dal, outside):
    await outside.execute("CREATE TABLE own (id int); INSERT INTO own VALUES (7)")
    for number in (1, 2):
        (dal.folder / f"{number}.csv").write_text(f"id\n{number}\n")
    dal("load", "1.csv", "2.csv", "--table", "own", "--on-conflict", "replace")
    assert await outside.fetch("SELECT id FROM own ORDER BY id") == [(1,), (2,)]


async def test_duplicates_that_are_an_error_fail_the_load(dal):
    await _with_two(dal)
    done = dal.load("more.csv", "--on-conflict", "skip", "--duplicates", "error")
    assert "records 2 and 3 have the same key" in _one_line(done, 1)


# 1


async def test_a_record_that_does_not_fit_fails_the_load(dal, outside):
    (dal.folder / "a.csv").write_text("id,owner,balance\n1,a,2\n2,b,hidden\n")
    said = _one_line(dal.load("a.csv"), 1)
    assert "record 2, column 'balance'" in said
    assert "hidden" not in said
    assert await count(outside, "account") == 0


async def test_a_row_that_the_server_refuses_fails_the_load(dal, outside):
    said = _one_line(dal.load(dal.accounts("a.csv", 1, -2)), 1)
    assert "SQLSTATE 23514" in said
    assert "it is record 2" in said
    assert await count(outside, "account") == 0


async def test_a_constraint_that_is_deferred_fails_the_load_and_its_dry_run(dal, outside):
    await outside.execute("CREATE TABLE late (id int, CONSTRAINT one UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")
    (dal.folder / "a.csv").write_text("id\n1\n1\n")
    for more in ([], ["--dry-run"]):
        assert '"one"' in _one_line(dal("load", "a.csv", "--table", "late", *more), 1)
    assert await count(outside, "late") == 0


async def test_columns_that_do_not_fit_are_all_told_in_one_line(dal):
    dal.accounts("a.csv", 1, head="id,ownr,extra\n")
    said = _one_line(dal.load("a.csv"), 1)
    assert "'ownr' that the table lacks (did you mean 'owner'?)" in said
    assert "'extra'" in said


async def test_a_server_that_is_not_there_is_exit_code_1_without_the_password(dal):
    done = dal.load(dal.accounts("a.csv", 1), "--url", "postgresql://u:sesame@127.0.0.1:1/db")
    assert "sesame" not in _one_line(done, 1)


async def test_a_wrong_password_is_not_said(dal, database_url):
    url = database_url.set(drivername="postgresql", username="nobody_here", password="sesame")
    done = dal.load(dal.accounts("a.csv", 1), "--url", url.render_as_string(hide_password=False))
    assert "sesame" not in _one_line(done, 1)


async def test_a_load_that_commits_on_its_way_says_what_stays(dal, outside):
    dal.accounts("a.csv", *range(20_000), -1)
    assert "The first 16,384 records are settled and stay." in _one_line(dal.load("a.csv", "--commit-every", "8192"), 1)
    assert await count(outside, "account") == 16_384


async def test_a_load_is_gone_on_with(dal, outside):
    dal.accounts("a.csv", *range(20_000), -1)
    options = ("a.csv", "--commit-every", "8192", "--resume", "accounts")
    _one_line(dal.load(*options), 1)
    await outside.execute("ALTER TABLE account DROP CONSTRAINT ck_account_balance_not_negative")
    assert dal.json(*options)["loaded"] == 20_001 - 16_384
    assert await count(outside, "account") == 20_001


async def test_a_reject_file_that_cannot_be_written_is_one_line(dal, outside):
    (dal.folder / "bad.csv").mkdir()
    assert "bad.csv: is a directory" in _one_line(dal.load(dal.accounts("a.csv", -1), "--rejects", "bad.csv"), 1)


# 3


async def test_rejects_are_exit_code_3_and_in_the_table_and_the_file(dal, outside):
    (dal.folder / "a.csv").write_text("id,owner,balance\n1,[red]a,x\n2,b,2\n3,c,-1\n")
    done = dal.load("a.csv", "--on-error", "reject", "--rejects", "bad.csv")
    assert (done.returncode, done.stderr) == (3, "")
    assert "record 1" in done.stdout
    assert "column 'balance': " in done.stdout
    assert "(constraint 'ck_account_balance_not_negative')" in done.stdout
    assert await _rows(outside) == [(2, "b", 2)]
    assert len((dal.folder / "bad.csv").read_text().splitlines()) == 3
    assert len((dal.folder / "bad.csv.reasons.ndjson").read_text().splitlines()) == 2


async def test_a_reject_file_alone_asks_for_rejects(dal):
    assert dal.load(dal.accounts("a.csv", 1, -1), "--rejects", "bad.csv").returncode == 3


async def test_ten_rejects_are_shown_and_json_has_more(dal):
    dal.accounts("a.csv", *range(-25, 5))
    done = dal.load("a.csv", "--max-rejects", "30")
    assert done.stdout.count("record ") == 10
    assert "and 15 more" in done.stdout
    done = dal.load("a.csv", "--max-rejects", "30", "--on-conflict", "skip", "--json")
    assert (done.returncode, len(json.loads(done.stdout)["rejects"])) == (3, 25)


async def test_too_many_rejects_are_exit_code_1(dal, outside):
    said = _one_line(dal.load(dal.accounts("a.csv", 1, -1, -2), "--max-rejects", "1"), 1)
    assert "2 records were rejected, and at most 1 may be" in said
    assert await count(outside, "account") == 0


async def test_a_record_cannot_steer_the_terminal(dal):
    (dal.folder / "a.csv").write_text("id,owner,balance\n1,a,\x1b[31mred\n")
    done = dal.load("a.csv", "--on-error", "reject")
    assert done.returncode == 3
    assert "\x1b" not in done.stdout


# Dry runs


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(dal, outside):
    await _with_two(dal)
    before = await _rows(outside)
    found = dal.json("more.csv", "--on-conflict", "update", "--dry-run")
    assert (found["dry_run"], found["loaded"], found["updated"]) == (True, 1, 1)
    assert await _rows(outside) == before
    assert (
        "account, rolled back: this would be loaded"
        in dal.load("more.csv", "--on-conflict", "skip", "--dry-run").stdout
    )


async def test_a_dry_run_has_the_exit_codes_of_a_load(dal, outside):
    dal.accounts("a.csv", 1, -1)
    assert dal.load("a.csv", "--dry-run").returncode == 1
    assert dal.load("a.csv", "--dry-run", "--on-error", "reject").returncode == 3
    assert await count(outside, "account") == 0


# Tables


async def test_names_are_taken_as_they_are(dal, outside):
    await outside.execute('CREATE SCHEMA "Own Shop"; CREATE TABLE "Own Shop"."order" ("Group" int, "a ""b""" text)')
    (dal.folder / "a.csv").write_text('Group,"a ""b"""\n1,x\n')
    arguments = ("load", "a.csv", "--table", "order", "--schema", "Own Shop", "--on-error", "reject")
    assert dal(*arguments).returncode == 0
    assert await outside.fetch('SELECT * FROM "Own Shop"."order"') == [(1, "x")]


async def test_types_that_sqlalchemy_does_not_know_are_read_by_the_server(dal, outside):
    await outside.execute(
        "CREATE DOMAIN plenty AS int CHECK (value > 10); CREATE TYPE pair AS (a int, b text);"
        "CREATE TYPE hue AS ENUM ('red');"
        "CREATE TABLE odd (id int GENERATED ALWAYS AS IDENTITY, many plenty, two pair, hues hue[], hue hue, at point,"
        "    words tsvector, own text DEFAULT 'x', twice int GENERATED ALWAYS AS (2) STORED)"
    )
    (dal.folder / "a.csv").write_text('many,two,hues,hue,at,words\n11,"(1,x)",{red},red,"(1,2)",a\n')
    done = dal("load", "a.csv", "--table", "odd")
    assert (done.returncode, done.stderr) == (0, "")
    [row] = await outside.fetch("SELECT id, many, (two).b, hue::text, own, twice FROM odd")
    assert tuple(row) == (1, 11, "x", "red", "x", 2)


async def test_a_partitioned_table_is_loaded(dal, outside):
    await outside.execute("CREATE TABLE parts (id int) PARTITION BY RANGE (id)")
    await outside.execute("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    (dal.folder / "a.csv").write_text("id\n1\n")
    assert dal("load", "a.csv", "--table", "parts").returncode == 0
    assert await count(outside, "parts_1") == 1
