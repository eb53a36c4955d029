"""The code in docs/reading.md runs as it stands there."""

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from tests.models import Account, Accounts

DOCS = Path(__file__).parent.parent / "docs" / "reading.md"


@dataclass
class AccountRow:
    owner: str
    balance: int


@dataclass
class Initial:
    initial: str
    number: int
    balance: int


async def test_the_examples_run(db, outside):
    await outside.execute("INSERT INTO account VALUES (1, 'ann', 0), (2, 'abe', 10), (3, 'bob', 1000)")
    names = {"Account": Account, "AccountRow": AccountRow, "Initial": Initial, "text": text}
    for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL):
        exec(code, names)  # the docs' own code
    file = io.StringIO()
    await names["export"](Accounts(db), file)
    assert file.getvalue() == "abe,10\nbob,1000\n"
    assert json.loads(await names["accounts_of_the_rich"](Accounts(db))) == [{"owner": "bob", "balance": 1000}]
    assert await names["by_initial"](db) == [Initial("a", 1, 10), Initial("b", 1, 1000)]
    assert await db.select_into(int, text("SELECT count(*) FROM account")) == [3]
