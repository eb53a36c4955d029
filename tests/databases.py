"""Databases for tests, made ready while other tests run: the file system is slow to make the files of a new one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from sqlalchemy import URL

from tests.looking import connect, until

# Foreign keys are off meanwhile, so that the order of the tables is of no account; keys are counted from one again.
_WIPE: Final = """
    SET session_replication_role = replica;
    DO $$ DECLARE it regclass; BEGIN
        FOR it IN SELECT oid FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
        LOOP EXECUTE format('DELETE FROM %s', it); END LOOP;
        FOR it IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
        LOOP PERFORM setval(it, 1, false); END LOOP;
    END $$;
"""
_OTHERS: Final = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"


class Clones:
    """New databases from a template that nobody is connected to, each dropped after its test."""

    def __init__(self, server: URL, template: URL) -> None:
        self._server = server
        self._template = template.database
        self._thread = ThreadPoolExecutor(1)
        self._next: Future[URL] | None = None
        self._dropped: list[Future[None]] = []

    @contextmanager
    def one(self) -> Generator[URL]:
        """Lend a database; whoever is connected to it at the end is thrown out."""
        url = (self._next or self._thread.submit(self._make)).result()
        self._next = self._thread.submit(self._make)
        try:
            yield url
        finally:
            self._dropped.append(self._thread.submit(self._drop, url))

    def close(self) -> None:
        """Drop what is left, and raise what went wrong meanwhile."""
        if self._next is not None:
            self._drop(self._next.result())
        self._thread.shutdown()
        for dropped in self._dropped:
            dropped.result()

    def _make(self) -> URL:
        name = unique_name()
        # A clone has its template's encoding anyway; template0 lets it be chosen where the server has another.
        asyncio.run(_execute(self._server, f"CREATE DATABASE {name} TEMPLATE {self._template} ENCODING 'UTF8'"))
        return self._server.set(database=name)

    def _drop(self, url: URL) -> None:
        asyncio.run(_execute(self._server, f"DROP DATABASE {url.database} WITH (FORCE)"))


class Wiped:
    """A few databases in turn, each without rows and without connections when a test gets it."""

    def __init__(self, urls: list[URL]) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._ready = deque(self._thread.submit(_wipe, url) for url in urls)

    @contextmanager
    def one(self) -> Generator[URL]:
        """Lend a database whose tables the test leaves as they are."""
        url = self._ready.popleft().result()
        try:
            yield url
        finally:
            self._ready.append(self._thread.submit(_wipe, url))

    def close(self) -> None:
        """Wait for the last database to be wiped."""
        self._thread.shutdown()


@contextmanager
def clones(server: URL, template: URL) -> Generator[Clones]:
    """Clone *template* while the block runs."""
    made = Clones(server, template)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def wiped(*urls: URL) -> Generator[Wiped]:
    """Use *urls* in turn while the block runs."""
    in_turn = Wiped(list(urls))
    try:
        yield in_turn
    finally:
        in_turn.close()


def unique_name() -> str:
    """Make a name that no other run has."""
    return f"dal_test_{uuid4().hex}"


def _wipe(url: URL) -> URL:
    asyncio.run(_throw_out_and_delete(url))
    return url


async def _throw_out_and_delete(url: URL) -> None:
    connection = await connect(url)
    try:
        await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OTHERS}")
        await until(lambda: connection.fetchval(f"SELECT count(*) = 0 FROM pg_stat_activity WHERE {_OTHERS}"))
        await connection.execute(_WIPE)
    finally:
        await connection.close()


async def _execute(server: URL, statement: str) -> None:
    connection = await connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
