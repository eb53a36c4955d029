"""The README's quick start, run as a newcomer would: pasted into a file, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_quick_start_runs_as_pasted(tmp_path, empty_database_url):
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    script = tmp_path / "quickstart.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        env={"DAL_DATABASE_URL": empty_database_url.render_as_string(hide_password=False)},
    )
    assert (done.stdout, done.stderr) == ("Le Guin wrote The Dispossessed\n", "")


def test_quick_start_is_short():
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 30
