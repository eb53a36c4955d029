"""The code in docs/transactions.md runs as it stands there."""

import re
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from dal import Database
from dal.transaction import TransactionOptions
from tests.models import Account, Bank

DOCS = Path(__file__).parent.parent / "docs" / "transactions.md"


async def test_the_example_runs(db, outside, capsys):
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100), (2, 'two', 100)")
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names = {"Account": Account, "Bank": Bank, "Database": Database, "partial": partial, "func": func, "select": select}
    exec(code, names)  # the docs' own code
    await names["work"](db)
    assert capsys.readouterr().out == "moved\n80 are left\n200\n"


def test_every_option_is_explained():
    table = DOCS.read_text().partition("| option |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table.replace("BEGIN", ""))) >= set(TransactionOptions.__annotations__)
