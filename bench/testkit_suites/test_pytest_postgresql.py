"""pytest-postgresql by its README: "Pre-populating the database", "Connecting to an existing PostgreSQL database"."""

from __future__ import annotations

from typing import Any

import psycopg
from pytest_postgresql import factories

from bench.testkit_suites.tables import ddl


def load_tables(**where: Any) -> None:
    with psycopg.connect(**where) as connection:
        connection.execute(ddl())


postgresql_in_bench = factories.postgresql_noproc(load=[load_tables])
postgresql = factories.postgresql("postgresql_in_bench")


def test_row(postgresql: psycopg.Connection, number: int) -> None:
    email = f"customer-{number}@example.org"
    postgresql.execute("INSERT INTO customer (name, email) VALUES (%s, %s)", ("Customer", email))
    postgresql.commit()
    assert postgresql.execute("SELECT name, email FROM customer").fetchall() == [("Customer", email)]
