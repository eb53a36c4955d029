"""The code in docs/statements.md runs as it stands there."""

import logging
import re
from pathlib import Path

import pytest

from dal.errors import TooManyStatements
from tests.models import Account, Accounts

DOCS = Path(__file__).parent.parent / "docs" / "statements.md"


async def test_the_examples_run(db, outside, caplog):
    await outside.execute("INSERT INTO account VALUES (1, 'ann', 0), (2, 'abe', 10), (3, 'bob', 1000)")
    names = {"Account": Account, "Accounts": Accounts}
    for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL):
        exec(compile(code, "statements.md.py", "exec"), names)  # the docs' own code
    positive, total, log = await names["overview"](db)
    assert (positive, total, len(log)) == (2, 3, 2)
    assert {name for name in dir(log.statements[0]) if name[0] != "_"} >= _documented()
    found, repeated = await names["balances"](db, [1, 2, 3])
    assert (len(found), repeated.count, repeated.rows) == (3, 3, 3)
    with caplog.at_level(logging.WARNING, "dal"):
        await names["handle"](db, "GET /accounts", [1, 2, 3])
    [record] = caplog.records
    assert record.getMessage().startswith("N+1 in GET /accounts, 3 statements:\nstatements.md.py:")
    assert len(await names["guarded"](db, [1, 2])) == 2
    with pytest.raises(TooManyStatements):
        await names["guarded"](db, [1, 2, 3])


def _documented():
    return set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE))
