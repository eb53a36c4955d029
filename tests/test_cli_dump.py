"""`dal dump` in a process of its own: what it writes can be loaded again, and a failure leaves what was there."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.command import Command
from tests.looking import PATIENCE_S, connect, count, until_none_left, until_waiting_for_a_lock

DOCS = Path(__file__).parent.parent / "docs" / "copy_out.md"


@pytest.fixture
def dal(database_url, tmp_path):
    return Command(database_url, tmp_path)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv.gz", "out.ndjson", "out.parquet"])
async def test_what_is_dumped_can_be_loaded_again(dal, outside, name):
    dal.load(dal.accounts("a.csv", 1, 2, 3))
    done = dal("dump", name, "--table", "account", "--json")
    assert (done.returncode, json.loads(done.stdout)["rows"]) == (0, 3), done.stderr
    await outside.execute("DELETE FROM account")
    assert dal.json(name)["loaded"] == await count(outside, "account") == 3


async def test_columns_are_dumped_in_an_order_to_the_standard_output(dal, outside):
    dal.load(dal.accounts("a.csv", 2, 1))
    done = dal("dump", "-", "--format", "csv", "--table", "account", "--columns", "balance,id", "--order-by", "id")
    assert (done.returncode, done.stdout, done.stderr) == (0, "balance,id\n1,1\n2,2\n", "")


async def test_a_dump_that_fails_is_one_line_and_exit_code_1(dal, outside):
    await outside.execute("CREATE VIEW broken AS SELECT 1 / (id - id) AS x FROM account")
    dal.load(dal.accounts("a.csv", 1))
    (dal.folder / "out.csv").write_text("before")
    done = dal("dump", "out.csv", "--table", "broken")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert (dal.folder / "out.csv").read_text() == "before"


USAGE = {
    "a table that is none": ("out.csv --table acount", "Did you mean --table account?"),
    "a column that is none": ("out.csv --table account --columns idd", "--columns names 'idd'"),
    "an order that is none": ("out.csv --table account --order-by idd", "--order-by names 'idd'"),
    "no form": ("- --table account", "give --format"),
    "no suffix": ("out --table account", "does not end in .csv"),
    "rows and JSON": ("- --format csv --table account --json", "the standard output has the rows"),
}


@pytest.mark.parametrize("case", USAGE)
def test_what_cannot_be_dumped_is_one_line(dal, case):
    arguments, said = USAGE[case]
    done = dal("dump", *arguments.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert said in done.stderr


async def test_ctrl_c_leaves_the_file_as_it_was(dal, outside, direct_url):
    (dal.folder / "out.csv").write_text("before")
    holder = await connect(direct_url)
    async with holder.transaction():
        await holder.execute("LOCK TABLE account")
        process = dal.start("dump", "out.csv", "--table", "account")
        await until_waiting_for_a_lock(outside)
        process.send_signal(signal.SIGINT)
        code = await asyncio.to_thread(process.wait, PATIENCE_S)
    await holder.close()
    assert (code, process.communicate()[1]) == (130, b"dal: interrupted: nothing was kept.\n")
    assert [each.name for each in dal.folder.iterdir()] == ["out.csv"]
    assert (dal.folder / "out.csv").read_text() == "before"
    await until_none_left(outside)


def test_the_examples_run(dal):
    lines = re.findall(r"^dal (dump .*?)(?: > .*)?$", DOCS.read_text(), re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        done = dal(*shlex.split(line))
        assert done.returncode == 0, done.stderr
    assert done.stdout == "id,status\n"
