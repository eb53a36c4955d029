"""The code in docs/loading.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from dal import Plan
from dal.demo.models import Customer, Order, OrderLine
from dal.demo.repositories import Orders, Shop
from dal.lazy_loading import MODES
from dal.testing import assert_statements

DOCS = Path(__file__).parent.parent / "docs" / "loading.md"


async def test_the_examples_run(read_only):
    names = {"Order": Order, "OrderLine": OrderLine, "Customer": Customer}
    for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL):
        exec(code, names)  # the docs' own code
    found = await names["details"](Orders(read_only), 1)
    assert found.customer.nation.name
    orders = await Orders(read_only).list(Order.status == found.status, options=Plan(Order.lines, OrderLine.part))
    parts = [line.part.name for order in orders for line in order.lines]
    with assert_statements(3):
        assert await names["lines_of"](read_only, found.status) == len(parts) > len(found.lines)
    async with Shop(read_only) as shop:
        assert await names["with_parts"](shop, found.status) == parts


def test_every_mode_is_told():
    assert set(re.findall(r'^\| `"(\w+)"` \|', DOCS.read_text(), re.MULTILINE)) == set(MODES)
