"""Stop an embedded server once nobody uses it; run as a script of its own, with the standard library alone.

Argument one: the file that every user of the server holds a shared lock on. Argument two: its postmaster.pid.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path


def watch(users: str, pid_file: str) -> None:
    """Wait for the exclusive lock, which comes when the last user is gone; keep it until the server is down."""
    with Path(users).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            pid = int(Path(pid_file).read_text().splitlines()[0])
            os.kill(pid, signal.SIGINT)
            while Path(pid_file).exists():
                time.sleep(0.01)
                os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return  # it is down, with or without our doing


if __name__ == "__main__":
    watch(sys.argv[1], sys.argv[2])
