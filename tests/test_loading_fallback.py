"""Lazy loads without SQLAlchemy's private parts are the same, by more statements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILES = ["tests/test_lazy_modes.py", "tests/test_plan.py"]


def test_they_pass_the_same_tests():
    ran = subprocess.run(  # our own tests
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.without_strategies", "-p", "no:cacheprovider", *FILES],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert " passed" in ran.stdout
