"""The worker of docs/locking.md, run as somebody would who pastes it into a file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs" / "locking.md"


def test_the_worker_runs_as_pasted(tmp_path, empty_database_url):
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    script = tmp_path / "worker.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        env={"DAL_DATABASE_URL": empty_database_url.render_as_string(hide_password=False)},
    )
    assert (done.stdout, done.stderr) == ("50 jobs, 0 left\n", "")
