"""An embedded server is shared by all who want it, and gone with the last of them, however they end."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import psutil
import pytest

from tests.conftest import ROOT

PURPOSE = "shared"
PATIENCE_S = 20
User: TypeAlias = subprocess.Popen[str]


@pytest.fixture(scope="module")
def home() -> Generator[Path]:
    """Lend a cache folder that the server's own user may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="dal-tests-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def new_home(home: Path) -> Generator[Path]:
    """Lend the folder with no server's data in it, and leave none."""
    shutil.rmtree(home / f"postgres-{PURPOSE}", ignore_errors=True)
    yield home
    shutil.rmtree(home / f"postgres-{PURPOSE}", ignore_errors=True)


@pytest.fixture
def start(home: Path) -> Generator[Callable[[], User]]:
    """Start processes that use the server; kill those that are left."""
    with ExitStack() as stack:

        def popen(*options: str) -> User:
            user = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.embedded_user", PURPOSE, *options],
                cwd=ROOT,
                env={**os.environ, "DAL_CACHE_DIR": str(home), "TMPDIR": str(home)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(user)
            stack.callback(user.kill)
            return user

        yield popen


def _postmaster(home):
    return psutil.Process(int((home / f"postgres-{PURPOSE}/data/postmaster.pid").read_text().splitlines()[0]))


def _running(home):
    """List the processes that have to do with the folder: the server, its children, their watcher."""
    every = psutil.process_iter(["cmdline"])
    return [process for process in every if str(home) in " ".join(process.info["cmdline"] or [])]


def _all_gone_soon(home):
    deadline = time.monotonic() + PATIENCE_S
    while _running(home) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _running(home)


def _answer(user):
    return user.stdout.readline().strip()


def _end(user):
    _, said = user.communicate()
    return user.returncode, said


def test_two_that_start_a_new_server_at_once_share_it(new_home, start):
    users = [start(), start()]
    one, other = (_answer(user) for user in users)
    assert one
    assert one == other


def test_the_server_stays_when_the_first_leaves(start, home):
    first, second = start(), start()
    _answer(first)
    _answer(second)
    _end(first)
    assert _postmaster(home).is_running()


def test_the_server_is_gone_when_the_last_has_left(start, home):
    user = start()
    _answer(user)
    postmaster = _postmaster(home)
    _end(user)
    assert not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE


def test_a_user_says_nothing_on_its_way_out(start):
    user = start()
    _answer(user)
    assert _end(user) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_running_after_a_signal_to_the_only_user(start, home, number):
    user = start()
    _answer(user)
    user.send_signal(number)
    user.wait()
    assert _all_gone_soon(home)


def test_a_server_that_crashed_is_started_again(start, home):
    _answer(start())
    postmaster = _postmaster(home)
    family = [postmaster, *postmaster.children()]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=PATIENCE_S)
    assert _answer(start())


def test_a_server_that_does_not_stop_is_killed_for_the_next_user(start, home):
    user = start("1")
    _answer(user)
    _postmaster(home).suspend()
    _end(user)
    assert _answer(start())


def test_an_initialisation_that_was_killed_is_made_anew(new_home, start):
    half = new_home / f"postgres-{PURPOSE}/data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert _answer(start())
