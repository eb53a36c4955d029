"""The `dal` command in a process of its own, as a shell would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import URL

from tests.secret_watch import WATCH

DAL = [sys.executable, "-c", "from dal.cli import main; main()"]


class Command:
    """Runs `dal` in *folder*, with the database of *url* in its environment."""

    def __init__(self, url: URL, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAL_", "COLUMNS"))}
        # A wide terminal, so that no line is cut in the middle of what is looked for.
        where = {"DAL_DATABASE_URL": url.render_as_string(hide_password=False), "COLUMNS": "200"}
        self.environ = {**kept, **where, "PYTHONWARNINGS": "error::ResourceWarning"}

    def __call__(self, *arguments: str, given: bytes = b"", **environ: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*DAL, *arguments],
            cwd=self.folder,
            env=self.environ | environ,
            input=given,
            capture_output=True,
            check=False,
            timeout=50,
        )
        assert not WATCH.is_in((done.stdout + done.stderr).decode(errors="replace")), "the server's password is shown"
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def load(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Load into `account`."""
        return self("load", "--table", "account", *arguments, given=given)

    def json(self, *arguments: str, given: bytes = b"") -> dict[str, object]:
        """Load, and take the JSON object."""
        done = self.load("--json", *arguments, given=given)
        assert done.stdout, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def start(self, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Begin, with what is typed to it by hand."""
        return subprocess.Popen(
            [*DAL, *arguments],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            preexec_fn=_listen_to_signals,  # noqa: PLW1509 # nothing else runs in this process yet
        )

    def accounts(self, name: str, *ids: int, delimiter: str = ",", head: str = "id,owner,balance\n") -> str:
        """Write accounts to a file; give its name."""
        (self.folder / name).write_text(
            head.replace(",", delimiter) + "".join(delimiter.join((str(n), f"owner {n}", str(n))) + "\n" for n in ids)
        )
        return name


def _listen_to_signals() -> None:
    """Undo what a runner in the background leaves to its children: a SIGINT that is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
