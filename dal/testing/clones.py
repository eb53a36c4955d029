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
        self._dropped: list[Future[None]] = []

    @contextmanager
    def one(self) -> Generator[URL]:
        """Lend a database; at the end whoever is connected to it is thrown out, and it is dropped, in the background.

        What could not be dropped is told by the next call.
        """
        url = self._take()
        try:
            yield url
        finally:
            self._dropped.append(self._background.start(self._databases.drop(url)))

    def close(self) -> None:
        """Wait for what is under way, and say what went wrong; what is left is dropped by `Databases.close`."""
        for dropped in self._dropped:
            dropped.result()
        if self._next is not None:
            self._next.result()

    def _take(self) -> URL:
        done = [dropped for dropped in self._dropped if dropped.done()]
        self._dropped = [dropped for dropped in self._dropped if not dropped.done()]
        for dropped in done:
            dropped.result()
        ready = self._next or self._background.start(self._databases.make(self._template))
        self._next = None
        url = ready.result()
        self._next = self._background.start(self._databases.make(self._template))
        return url
