"""A server that each run starts for itself, by a name that no other run on this machine has."""

from collections.abc import Generator

import pytest
from sqlalchemy import URL

from bench.testkit_suites.on_dal import SCHEMA, write_and_read
from dal import Database
from dal.testing import EmbeddedServer, Schema


@pytest.fixture(scope="session")
def pg_server() -> Generator[URL]:
    """Start the server as dal's own fixture does, whose server others may be using."""
    with EmbeddedServer("bench-testkit", in_memory=True) as server:
        yield server.url


@pytest.fixture(scope="session")
def pg_schema() -> Schema:
    return SCHEMA


async def test_row(db: Database, number: int) -> None:
    await write_and_read(db, number)
