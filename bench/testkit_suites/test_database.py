"""dal's marker `database`: a clone of the template for every test."""

import pytest

from bench.testkit_suites.on_dal import SCHEMA, write_and_read
from dal import Database
from dal.testing import Schema

pytestmark = pytest.mark.database


@pytest.fixture(scope="session")
def pg_schema() -> Schema:
    return SCHEMA


async def test_row(db: Database, number: int) -> None:
    await write_and_read(db, number)
