"""PostgreSQL from a wheel: one server per purpose, shared by the processes that want it, gone with the last of them.

A server is kept by locks that the kernel frees when a process ends, however it ends: every user holds `users` shared,
and a watcher process waits to hold it alone, then stops the server. So nothing is left running after Ctrl-C, a crash or
SIGKILL, and two processes may start the same server at once.

Refuses: being a production server. Nothing here survives power loss.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Literal, Self

from sqlalchemy import URL

from dal.errors import ConfigError
from dal.testing.wheel import cache_dir, find_wheel, memory_dir, readable

# Durability costs most of a test's time, and an embedded server has nothing worth keeping.
UNSAFE_SETTINGS: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_WATCHER: Final = Path(__file__).with_name("_watcher.py")
_USER: Final = "postgres"
# PGPORT and others would also change what pg_ctl and initdb do.
_NOT_INHERITED: Final = ("PG", "DAL_")
# Written last: initdb's own files are there long before it is done, also when it is killed.
_MADE: Final = "made-by-dal"
# How long a server may take to stop that nobody uses any more, before its watcher is harder on it.
_STOPS_WITHIN_S: Final = 30
# How long a postmaster that was killed may be seen, and its backends may hold its memory; and what is said of either.
_ORPHANS_S: Final = 10.0
_ORPHANS: Final = ('"postmaster.pid" already exists', "pre-existing shared memory block", "server does not shut down")


class EmbeddedServer:
    """A PostgreSQL server in a data folder of its own: `with EmbeddedServer("tests") as server:`.

    Starts in under a second, in a tenth once its folder is there. As root it runs as `nobody`, since PostgreSQL
    refuses root. It listens on a unix socket, and with a password on a free loopback port. *in_memory* puts the data
    into shared memory where that has 2 GiB to spare and `DAL_CACHE_DIR` is not set: databases are made in 10 ms there,
    in 15 to 150 on a disk. With *is_new* it has nothing of the last one of its purpose; that takes a second.
    """

    def __init__(
        self, purpose: str, *, settings: dict[str, str] | None = None, in_memory: bool = False, is_new: bool = False
    ) -> None:
        self._wheel = find_wheel()
        self._settings = {**UNSAFE_SETTINGS, **(settings or {})}
        memory = memory_dir() if in_memory and "DAL_CACHE_DIR" not in os.environ else None
        self._home = (memory or cache_dir()) / f"postgres-{purpose}"
        self._data = self._home / "data"
        # A socket's path may have 107 characters; a data folder's is often longer.
        digest = hashlib.sha256(os.fsencode(self._home)).hexdigest()[:12]
        self.socket_dir = Path(tempfile.gettempdir()) / f"dal-{os.getuid()}-{digest}"
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._users: IO[str] | None = None
        self._is_new = is_new

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> URL:
        """The address by unix socket."""
        return URL.create(
            "postgresql+asyncpg",
            username=_USER,
            database=_USER,
            query={"host": str(self.socket_dir), "port": str(self.port)},
        )

    @property
    def tcp_url(self) -> URL:
        """The address by loopback, with the server's random password."""
        return URL.create(
            "postgresql+asyncpg",
            username=_USER,
            password=(self._home / "password").read_text(),
            host="127.0.0.1",
            port=self.port,
            database=_USER,
        )

    @property
    def port(self) -> int:
        """The loopback port, also part of the socket's name; another one at each start."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[3])

    @property
    def owner(self) -> tuple[int, int]:
        """The user and the group, by number, that the server runs as."""
        return (self._owner.pw_uid, self._owner.pw_gid) if self._owner else (os.getuid(), os.getgid())

    @property
    def binaries(self) -> Path:
        """The folder of `psql`, `pg_dump` and the other programs of this server's version."""
        return readable(self._wheel, self._owner) / "pginstall" / "bin"

    def start(self) -> None:
        """Start the server, or join one that another process has started for the same purpose."""
        with _naming_failures(self._home):
            self._home.mkdir(parents=True, exist_ok=True)
            self._users = (self._home / "users").open("a")
            # Waits while a watcher is stopping the server for those who left.
            fcntl.flock(self._users, fcntl.LOCK_SH)
            with (self._home / "start").open("a") as starting:
                fcntl.flock(starting, fcntl.LOCK_EX)
                if not self._answers():
                    self._start()

    def stop(self) -> None:
        """Leave the server; the last to leave stops it, and returns when it is down."""
        if self._users is None:
            return
        users, self._users = self._users, None
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Others use it, or the watcher is stopping it already: the shared lock comes when neither is so.
            fcntl.flock(users, fcntl.LOCK_SH)
        else:
            # Whatever it says: a server that is down already is as it should be.
            self._try("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-t", str(_STOPS_WITHIN_S))
        users.close()

    def restart(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server, as `pg_ctl` does it in *mode*, and start it again on the same port, for all who use it.

        `fast` rolls back and disconnects everybody; `immediate` is a crash, and is recovered from at the start.
        One that is down already is started.
        """
        self._bring_up("restart", "-m", mode)

    def halt(self, mode: Literal["fast", "immediate", "kill"] = "fast") -> None:
        """Stop the server for all who use it, until `restart()`; `kill` is SIGKILL to the postmaster.

        Its backends end by themselves then, each when it notices.
        """
        if mode == "kill":
            os.kill(int((self._data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        else:
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", mode, "-w", "-t", str(_STOPS_WITHIN_S))

    def _start(self) -> None:
        if self._is_new or not (self._data / _MADE).exists():
            self._initialise()
        self._make_folder(self.socket_dir)
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.socket_dir),
            "port": str(_free_port()),
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._bring_up("start", "-o", options)
        files = (self._home / "users", self._data / "postmaster.pid")
        watcher = [sys.executable, "-I", "-S", *map(str, (_WATCHER, *files, _STOPS_WITHIN_S))]
        # Not subprocess, which warns of a child that outlives its object, as this one shall.
        null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
        os.posix_spawn(sys.executable, watcher, _environment(), file_actions=null, setsid=True)

    def _initialise(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._make_folder(self._data)
        password = self._home / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(16))
        if self._owner:
            os.chown(password, self._owner.pw_uid, self._owner.pw_gid)
        self._run(
            "initdb", "-D", str(self._data), "-U", _USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
            "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}",
        )  # fmt: skip
        (self._data / _MADE).touch()

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid not in {os.getuid(), self._owner.pw_uid if self._owner else os.getuid()}:
            raise ConfigError(f"{folder} belongs to somebody else; remove it, or set DAL_CACHE_DIR and TMPDIR.")
        if self._owner:
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)

    def _answers(self) -> bool:
        try:
            port = str(self.port)
        except (OSError, ValueError, IndexError):
            return False  # no postmaster.pid, or half of one
        # Not pg_ctl status: after a crash it takes any process with the old number for the server.
        return self._try("pg_isready", "-h", str(self.socket_dir), "-p", port).returncode == 0

    def _bring_up(self, *arguments: str) -> None:
        ends_at = time.monotonic() + _ORPHANS_S
        while True:
            before = len(self._log())
            done = self._try("pg_ctl", *arguments, "-D", str(self._data), "-w", "-l", str(self._data / "log"))
            if done.returncode == 0:
                return
            said = done.stdout + self._log()[before:]
            if time.monotonic() >= ends_at or not any(words in said for words in _ORPHANS):
                raise self._failure("pg_ctl", said)
            time.sleep(0.02)

    def _log(self) -> str:
        log = self._data / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _run(self, program: str, *arguments: str) -> None:
        done = self._try(program, *arguments)
        if done.returncode:
            raise self._failure(program, done.stdout)

    def _failure(self, program: str, said: str) -> ConfigError:
        lines = said.splitlines() or ["no reason given"]
        reason = next((line for line in reversed(lines) if "error" in line or "FATAL" in line), lines[-1])
        return ConfigError(f"the embedded server in {self._home} failed: {program}: {reason.strip()}")

    def _try(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Not a pipe: the server would inherit it from pg_ctl, and reading would wait for the server's end.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self.binaries / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._owner.pw_uid if self._owner else None,
                group=self._owner.pw_gid if self._owner else None,
                extra_groups=[] if self._owner else None,
                cwd="/",
                env={**_environment(), "LC_ALL": "C"},
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")


def _environment() -> dict[str, str]:
    """Give a child all but where another database is, and its password: a server may run as somebody else."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _naming_failures(home: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"no embedded server in {home}: {error.strerror}. Set DAL_CACHE_DIR elsewhere.") from error
