"""The code in docs/copy_out.md runs as it stands there, and its tables are those of the code."""

import io
import re
from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import func, select

from dal.copy import CsvOut, copy_out
from dal.copy.out.forms import _BY_SUFFIX
from dal.demo.models import Order
from dal.demo.repositories import Orders

DOCS = Path(__file__).parent.parent / "docs" / "copy_out.md"


async def test_the_examples_run(read_only, tmp_path):
    names = {"Order": Order, "Decimal": Decimal, "CsvOut": CsvOut, "copy_out": copy_out}
    names |= {"func": func, "select": select, "pc": pc}
    for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL):
        exec(code, names)  # the docs' own code
    orders, stream = Orders(read_only), io.BytesIO()
    assert await names["export"](orders, tmp_path) == await orders.count(Order.status == "O") == 2
    assert pq.read_table(tmp_path / "open.parquet")["id"].to_pylist() == [1, 2]
    await names["totals"](read_only, stream)
    assert stream.getvalue().decode().splitlines() == ["year;total", "1996-01-01 00:00:00+00;40.00"]
    assert await names["revenue"](orders) == Decimal("40.00")


def test_every_suffix_is_told():
    rows = re.findall(r"^\| (`\..*?) \| `(\w+)\(", DOCS.read_text(), re.MULTILINE)
    told = {suffix: form for suffixes, form in rows for suffix in re.findall(r"`(\.\w+)`", suffixes)}
    assert told == {suffix: type(form).__name__ for suffix, form in _BY_SUFFIX.items()}
