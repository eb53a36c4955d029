"""Stop an embedded server once nobody uses it; run as a script of its own, with the standard library alone.

Argument one: the file that every user of the server holds a shared lock on. Argument two: its postmaster.pid. Argument
three: for how many seconds it is waited for a fast shutdown, then for an immediate one, before it is killed.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path


def watch(users: str, pid_file: Path, patience_s: int) -> None:
    """Wait for the exclusive lock, which comes when the last user is gone; keep it until the server is down."""
    with Path(users).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            pid = int(pid_file.read_text().splitlines()[0])
            # A server that does not stop would keep the next user waiting for ever.
            for ending in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                os.kill(pid, ending)
                wait(pid, pid_file, time.monotonic() + patience_s)
        except (OSError, ValueError, IndexError):
            return  # it is down, with or without our doing


def wait(pid: int, pid_file: Path, ends_at: float) -> None:
    """Wait until the server has gone, which raises `OSError`, or until *ends_at*."""
    while time.monotonic() < ends_at:
        if not pid_file.exists():
            raise FileNotFoundError(pid_file)
        os.kill(pid, 0)
        time.sleep(0.01)


if __name__ == "__main__":
    watch(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
