"""Databases for one test each, made while the test before it runs: a file system is slow to make so many files."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager

from sqlalchemy import URL

from dal.testing.background import Background
from dal.testing.databases import Databases


class Clones:
    """Clones of one *template*; the next is always under way."""

    def __init__(self, background: Background, databases: Databases, template: str) -> None:
        self._background = background
        self._databases = databases
        self._template = template
        self._next: Future[URL] | None = None
        self._drops: list[Future[None]] = []

    @contextmanager
    def one(self) -> Generator[URL]:
        """Lend a database; at the end it is dropped in the background, whoever is connected to it."""
        url = self._take()
        try:
            yield url
        finally:
            self._drops.append(self._background.start(self._databases.drop(url)))

    def close(self) -> None:
        """Wait for what is under way; what could not be dropped is left to `Databases.close`."""
        for future in (*self._drops, self._next):
            if future is not None:
                future.exception()

    def _take(self) -> URL:
        ahead, self._next = self._next, None
        if ahead is not None and ahead.exception() is None:
            url = ahead.result()
        else:
            # What went wrong ahead of time, while the server was restarted, may go well now.
            url = self._background.run(self._databases.make(self._template))
        self._next = self._background.start(self._databases.make(self._template))
        return url
