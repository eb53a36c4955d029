"""The examples pass their own tests, run as their README says."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("example", ["library"])
def test_an_example_passes_its_own_tests(example):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT / "examples" / example,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
