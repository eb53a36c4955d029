"""The examples in docs/load.md run, in their order, against one database; its tables say what the code says."""

from __future__ import annotations

import gzip
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import MetaData, Table

from dal.cli.load_command import load
from dal.copy import plan
from tests.command import DAL, Command

DOCS = Path(__file__).parent.parent / "docs" / "load.md"
README = DOCS.parent.parent / "README.md"
FILES = {
    "sales.csv": "id,customer,amount,sold_on\n1,Ada,10.50,2026-01-31\n2,Bob,20,\n",
    "sales-3.csv": "id,customer,amount,sold_on\n3,Cy,30,2026-03-31\n",
    "german.csv": "id;customer;amount;sold_on\n4;Dé;40;30.04.2026\n",
    "corrections.csv": "id,customer,amount\n1,Ada,11\n5,Eve,50\n2,Bob,19\n",
    "dirty.csv": "id,customer,amount\n10,Flo,-1\n11,,5\n12,Gus,5\n",
    "large.csv": "id,customer,amount\n" + "".join(f"{n},Hal,{n}\n" for n in range(1000, 21_000)),
}


def _blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", DOCS.read_text(), re.DOTALL)


@pytest.fixture
async def folder(database_url, outside, tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    await outside.execute(_blocks("sql")[0])
    return tmp_path


async def test_the_code_runs(db, folder):
    async with db.engine.connect() as connection:
        sale = await connection.run_sync(lambda own: Table("sale", MetaData(), autoload_with=own))
    names = {}
    for code in _blocks("python"):
        exec(code, names)  # the docs' own code
    assert await names["load_all"](db, sale) == 1
    assert await names["correct"](db, sale) == (1, 1, 1)
    assert await names["load_dirty"](db, sale) == [(1, None, "sale_amount_check"), (2, "customer", None)]
    assert await names["load_large"](db, sale) == 20_000
    assert await names["load_large"](db, sale) == 0


async def test_the_commands_run_with_their_exit_codes(database_url, outside, folder):
    command = Command(database_url, folder)
    (folder / "dal").write_text(f'#!/bin/sh\nexec {shlex.join(DAL)} "$@"\n')
    (folder / "dal").chmod(0o755)
    lines = [line for block in _blocks("sh") for line in block.splitlines() if "dal load" in line]
    assert len(lines) == 9
    packed = gzip.compress(b'{"id": 9, "customer": "Ida"}')
    (folder / "sales.ndjson.gz").write_bytes(packed)
    environ = command.environ | {"PATH": f"{folder}:{command.environ['PATH']}"}
    for line in lines:
        done = _shell(line, environ)
        told = re.search(r"# exit code (\d)", line)
        assert done.returncode == (int(told[1]) if told else 0), (line, done.stderr)
    found = await outside.fetch("SELECT id, amount::text FROM sale WHERE id < 1000 ORDER BY id")
    expected = [(1, "11.00"), (2, "19.00"), (3, "30.00"), (4, "40.00"), (5, "50.00"), (9, None), (12, "5.00")]
    assert [tuple(row) for row in found] == expected


def _shell(line, environ):
    return subprocess.run(line, shell=True, env=environ, capture_output=True, text=True, check=False)


def test_every_type_is_told_as_the_plan_has_it():
    table = re.findall(r"^\|.*\|$", plan.__doc__, re.MULTILINE)
    assert "\n".join(table) in DOCS.read_text()


def test_every_exit_code_is_told_as_in_the_help():
    codes = re.findall(r"^    (\d+)  ", load.__doc__, re.MULTILINE)
    assert codes == re.findall(r"^\| (\d+) \|", DOCS.read_text(), re.MULTILINE) == ["0", "1", "2", "3", "130"]


def test_the_readme_links_here():
    assert "(docs/load.md)" in README.read_text()
