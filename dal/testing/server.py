"""Which server: an embedded one, one in Docker, or one that is there already."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL

from dal.config import ENVIRONMENT_URL, parse_url
from dal.testing.container import container_url
from dal.testing.embedded import EmbeddedServer

EMBEDDED: Final = "embedded"
CONTAINER: Final = "container"


@contextmanager
def server_url(purpose: str, where: str | URL | None = None, *, in_memory: bool = False) -> Generator[URL]:
    """Give a server while the block runs: *where* is `embedded`, `container` or a URL.

    None is `DAL_DATABASE_URL` if that is set, else `embedded`. Embedded servers of one *purpose* are shared, also
    between processes, and their data may be *in_memory*; a container is this block's own. Raises `ConfigError` where
    there is no such server.
    """
    where = where or os.environ.get(ENVIRONMENT_URL) or EMBEDDED
    if where == EMBEDDED:
        with EmbeddedServer(purpose, in_memory=in_memory) as server:
            yield server.url
    elif where == CONTAINER:
        with container_url() as url:
            yield url
    else:
        yield parse_url(where)
