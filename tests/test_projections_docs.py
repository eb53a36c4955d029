"""The code in docs/projections.md runs as it stands there."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dal import Database

DOCS = Path(__file__).parent.parent / "docs" / "projections.md"


async def test_the_example_runs(
    read_only: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    module = ModuleType("projections_of_the_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code, module.__dict__)  # the docs' own code
    await module.look(read_only)
    assert capsys.readouterr().out.splitlines() == [
        "customer 1 nation 1 ['part 1', 'part 2'] 2",
        "2 O False",
        "[Sales(status='O', orders=2, total=Decimal('40.00'))]",
    ]
