"""The work of a test on dal, and what its databases hold."""

from __future__ import annotations

from typing import Final

from sqlalchemy import insert, select

from bench.testkit_suites.tables import CUSTOMER, METADATA
from dal import Database
from dal.testing import Schema

SCHEMA: Final = Schema(metadata=[METADATA])


async def write_and_read(db: Database, number: int) -> None:
    """Write a row in a unit of work, then read it back; whatever else the table held would show."""
    email = f"customer-{number}@example.org"
    async with db.writing() as session:
        await session.execute(insert(CUSTOMER).values(name="Customer", email=email))
    async with db.reading() as session:
        rows = (await session.execute(select(CUSTOMER.c.name, CUSTOMER.c.email))).all()
    assert [tuple(row) for row in rows] == [("Customer", email)]
