"""What the tests of one process share: a server, a template of the schema, clones of it, and a sandbox.

Each is made when a test first asks for it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property, partial

from sqlalchemy import URL

from dal.database import Database
from dal.errors import SandboxBroken
from dal.pool_config import PoolConfig
from dal.testing.background import Background
from dal.testing.clones import Clones
from dal.testing.databases import Databases, connect, execute
from dal.testing.network import Network
from dal.testing.sandbox import Sandbox
from dal.testing.schema import Schema


class Kit:
    """Lends databases with *schema* on *server*, one test after the other; to be closed at the end.

    A statement that runs for longer than *statement_timeout_s* is cancelled by the server.
    """

    def __init__(self, server: URL, schema: Schema, *, statement_timeout_s: float = 30.0) -> None:
        self.server = server
        self._schema = schema
        self._background = Background()
        self._databases = Databases(server, statement_timeout_s=statement_timeout_s)
        self._made = ExitStack()
        self._sandbox: Sandbox | None = None
        self._sandboxed: Database | None = None

    def database(self) -> AbstractContextManager[URL]:
        """Lend a new clone of the template, which is dropped afterwards."""
        return self._clones.one()

    def empty_database(self) -> AbstractContextManager[URL]:
        """Lend a new database with nothing in it."""
        return self._empty.one()

    @contextmanager
    def sandbox(self) -> Generator[URL]:
        """Lend the address of a transaction that is rolled back at the end.

        Raises `SandboxBroken` at the end if somebody ended the transaction by other means; the next sandbox is on
        another database then.
        """
        sandbox = self._sandbox = self._sandbox or self._new_sandbox()
        if not sandbox.is_open:
            self._background.run(sandbox.open())
        self._background.call(sandbox.begin)  # whoever connects now comes after it
        try:
            yield sandbox.url
        finally:
            try:
                self._background.run(sandbox.end())
            except SandboxBroken:
                self._sandbox = None
                raise

    @contextmanager
    def network(self, url: URL) -> Generator[Network]:
        """Put a network between *url* and those who connect by its own `url`, as long as the block runs."""
        network = Network(self._background, url)
        try:
            yield network
        finally:
            network.close()

    def execute(self, url: URL, statement: str) -> None:
        """Run *statement* at *url* from outside, on a connection of its own; blocks this thread."""
        self._background.run(execute(url, statement))

    def database_at(self, url: URL, pool: PoolConfig) -> Database:
        """Give a `Database` for *url*, not open; for a sandbox the same one every time.

        Making an engine, and asking the server what every new engine asks, costs more than a test should.
        """
        if self._sandbox is None or url != self._sandbox.url:
            return Database(url, pool=pool)
        if self._sandboxed is None or self._sandboxed.config.url != url:
            self._sandboxed = Database(url, pool=pool)
        if self._sandboxed.pool.stock.is_closed:
            self._sandboxed.engine.sync_engine.dispose(close=False)  # which makes another pool
        return self._sandboxed

    def close(self) -> None:
        """Drop everything that was made, except for the template."""
        try:
            self._made.close()
            self._background.run(self._databases.close())
        finally:
            self._background.close()

    @cached_property
    def _clones(self) -> Clones:
        return self._clones_of(self._background.run(self._databases.template(self._schema)))

    @cached_property
    def _empty(self) -> Clones:
        return self._clones_of("template0")

    def _clones_of(self, template: str) -> Clones:
        clones = Clones(self._background, self._databases, template)
        self._made.callback(clones.close)
        return clones

    def _new_sandbox(self) -> Sandbox:
        url = self._made.enter_context(self.database())
        sandbox = Sandbox(url, partial(connect, url), self._databases.cancel)
        self._made.callback(lambda: self._background.run(sandbox.close()))
        return sandbox
