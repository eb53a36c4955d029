"""dal's default: a transaction that is rolled back."""

import pytest

from bench.testkit_suites.on_dal import SCHEMA, write_and_read
from dal import Database
from dal.testing import Schema


@pytest.fixture(scope="session")
def pg_schema() -> Schema:
    return SCHEMA


async def test_row(db: Database, number: int) -> None:
    await write_and_read(db, number)
