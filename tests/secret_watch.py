"""Looks for the server's password in everything that the suite prints, logs, warns of, reports and writes.

Every test connects with a password of its own run: where the server asks for none, one is put into the URL all the
same. What a test prints, logs and fails of is looked at when it ends, what it wrote when the session ends. A server's
own file for its password is no finding. Refuses: looking into the server.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import URL

from dal.testing.wheel import cache_dir, memory_dir

_FOUND: Final = pytest.StashKey[list[str]]()
_KEEPS: Final = "password"  # the file of an embedded server
_LEAST: Final = 8  # a shorter one may stand somewhere by chance


class Watch:
    """Which passwords are looked for."""

    def __init__(self) -> None:
        self.passwords: set[str] = set()

    def over(self, server: URL) -> URL:
        """Give *server* with a password to look for."""
        if server.password is None:
            server = server.set(password=f"pw-{secrets.token_hex(12)}")
        self.add(str(server.password))
        for folder in (cache_dir(), memory_dir()):
            for kept in folder.glob(f"postgres-*/{_KEEPS}") if folder else ():
                self.add(kept.read_text())
        return server

    def add(self, password: str) -> None:
        """Look for *password* too."""
        if len(password) >= _LEAST:
            self.passwords.add(password)

    def is_in(self, text: str) -> bool:
        """Tell whether one of them is in *text*."""
        return any(password in text for password in self.passwords)

    def files_below(self, folder: Path) -> Iterator[Path]:
        """Find the files with one of them in it."""
        sought = [password.encode() for password in self.passwords]
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.name != _KEEPS:
                content = path.read_bytes()
                if any(password in content for password in sought):
                    yield path


WATCH: Final = Watch()


@pytest.fixture(scope="session")
def pg_server(pg_server: URL) -> URL:
    """Lend the server with a password that is looked for."""
    return WATCH.over(pg_server)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Fail a test that shows a password, when it is set up, runs, or is torn down; the password is taken out."""
    report = yield
    # What was captured in earlier phases is told again in later ones.
    earlier = tuple({"setup", "call", "teardown"} - {report.when})
    shown = [name for name, text in report.sections if not name.endswith(earlier) and WATCH.is_in(text)]
    if report.longrepr is not None and WATCH.is_in(report.longreprtext):
        shown.append("what it failed of")
    if shown:
        report.outcome = "failed"
        report.longrepr = f"the server's password is in: {', '.join(shown)}"
        report.sections = []
    return report


def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    """Look at a warning that is no error."""
    if WATCH.is_in(str(warning_message.message)):
        _SHOWN.append(f"a warning of {nodeid}")


_SHOWN: Final[list[str]] = []


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look at the files of the session; a worker tells the controller what it has found."""
    config = session.config
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None and WATCH.passwords:
        _SHOWN.extend(str(path) for path in WATCH.files_below(factory.getbasetemp()))
    if hasattr(config, "workeroutput"):
        config.workeroutput["passwords_shown"] = _SHOWN
    config.stash[_FOUND] = _SHOWN
    if _SHOWN and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker has found."""
    _SHOWN.extend(getattr(node, "workeroutput", {}).get("passwords_shown", ()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was found when the tests had ended."""
    for shown in _SHOWN:
        terminalreporter.write_line(f"FAILED the server's password is in {shown}")
