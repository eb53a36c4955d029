"""The code in docs/pages.md runs as it stands there."""

import re
import textwrap

import pytest

from dal.demo.models import Order
from dal.demo.repositories import Orders
from dal.keyset import Ordering
from tests.conftest import ROOT

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "pages.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("code", CODE)
async def test_the_example_runs(read_only, code):
    names = {"Order": Order, "Ordering": Ordering, "KEY": b"k" * 32}
    exec(f"async def work(orders):\n{textwrap.indent(code, '    ')}\n    return page", names)  # the docs' own code
    page = await names["work"](Orders(read_only))
    assert page.first or not page.items
