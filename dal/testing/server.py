"""Which server: an embedded one, one in Docker, or one that is there already."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL

from dal.config import ENVIRONMENT_URL, parse_url
from dal.testing.container import container_url, kept_container_url
from dal.testing.embedded import EmbeddedServer
from dal.testing.wheel import cache_dir, memory_dir

EMBEDDED: Final = "embedded"
CONTAINER: Final = "container"
# The server's processes may die, not the machine: fsync may stay off.
_KEEPS_COMMITS: Final = {"synchronous_commit": "on"}


@contextmanager
def server_url(purpose: str, where: str | URL | None = None, *, in_memory: bool = False) -> Generator[URL]:
    """Give a server while the block runs: *where* is `embedded`, `container`, `container:NAME` or a URL.

    None is `DAL_DATABASE_URL` if that is set, else `embedded`. Embedded servers of one *purpose* are shared, also
    between processes, and their data may be *in_memory*; a container is this block's own, one with a name is kept.
    Raises `ConfigError` where there is no such server.
    """
    where = where or os.environ.get(ENVIRONMENT_URL) or EMBEDDED
    if where == EMBEDDED:
        with EmbeddedServer(purpose, in_memory=in_memory) as server:
            yield server.url
    elif where == CONTAINER:
        with container_url() as url:
            yield url
    elif isinstance(where, str) and where.startswith(f"{CONTAINER}:"):
        yield kept_container_url(where.removeprefix(f"{CONTAINER}:"))
    else:
        yield parse_url(where)


@contextmanager
def unshared_server(purpose: str = "own", *, is_new: bool = False) -> Generator[EmbeddedServer]:
    """Give an embedded server that no other process uses, while the block runs: the first of a row that is free.

    It may be restarted, also by a crash: what was committed is there afterwards. With *is_new* it begins empty.
    """
    folder = memory_dir() or cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        with (folder / f"{purpose}-{number}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            name = f"{purpose}-{number}"
            with EmbeddedServer(name, settings=_KEEPS_COMMITS, in_memory=True, is_new=is_new) as server:
                yield server
            return
