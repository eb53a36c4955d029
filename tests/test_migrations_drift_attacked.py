"""Databases that differ from their migrations where the check might not look; and equal ones that look different."""

from __future__ import annotations

import pytest

from dal.migrations import upgrade
from dal.migrations.drift import check
from tests.revisions import Revisions

MADE = """
CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE child (id int PRIMARY KEY, parent_id int CONSTRAINT fk REFERENCES parent, a int NOT NULL, b int,
    CONSTRAINT pairs CHECK (a > b), CONSTRAINT late UNIQUE (a) DEFERRABLE, v varchar(10) CHECK (v IN ('a', 'b')));
CREATE INDEX by_b ON child (b);
CREATE UNIQUE INDEX by_a ON child (a);
CREATE VIEW seen WITH (security_barrier) AS SELECT id, a FROM child;
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE SEQUENCE s;
CREATE TABLE "Odd.name" ("a.b" int);
CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TYPE pair AS (x int, y int);
CREATE MATERIALIZED VIEW kept AS SELECT id FROM child;
"""

DIFFERENT = [
    "ALTER TABLE child DISABLE TRIGGER ALL",
    "ALTER TABLE parent DISABLE TRIGGER ALL",
    "ALTER TABLE child SET UNLOGGED",
    "ALTER TABLE child REPLICA IDENTITY FULL",
    "ALTER TABLE child REPLICA IDENTITY USING INDEX by_a",
    "ALTER VIEW seen RESET (security_barrier)",
    "ALTER FUNCTION f(int) SECURITY DEFINER",
    "ALTER FUNCTION f(int) SET search_path = x",
    "ALTER FUNCTION f(int) STRICT",
    "ALTER TABLE child ALTER CONSTRAINT fk DEFERRABLE INITIALLY DEFERRED",
    'ALTER TABLE "Odd.name" RENAME "a.b" TO "a.B"',
    'ALTER TABLE "Odd.name" ALTER "a.b" TYPE bigint',
    "ALTER SEQUENCE s CYCLE",
    "ALTER SEQUENCE s AS int",
    "ALTER TYPE pair ADD ATTRIBUTE z int",
    'ALTER TABLE parent ALTER code TYPE text COLLATE "C"',
    "DROP INDEX by_b; CREATE INDEX by_b ON child (b DESC)",
    "DROP MATERIALIZED VIEW kept; CREATE MATERIALIZED VIEW kept AS SELECT id + 0 AS id FROM child",
    "CREATE INDEX on_kept ON kept (id)",
    "CREATE STATISTICS st ON a, b FROM child",
    "ALTER TABLE child ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE child ADD COLUMN extra int GENERATED ALWAYS AS (a + 1) STORED",
    "CREATE RULE r AS ON DELETE TO child DO INSTEAD NOTHING",
    "CREATE TABLE left_over (LIKE child)",
    "ALTER TABLE child INHERIT grand",
    "CREATE AGGREGATE agg (int) (SFUNC = int4pl, STYPE = int)",
]
EQUAL = [
    "ALTER TABLE child DROP COLUMN b CASCADE; ALTER TABLE child ADD b int; CREATE INDEX by_b ON child (b); "
    "ALTER TABLE child ADD CONSTRAINT pairs CHECK (a > b)",
    "ALTER TABLE child DISABLE TRIGGER ALL; ALTER TABLE child ENABLE TRIGGER ALL",
    "INSERT INTO parent VALUES (1, 'x'); SELECT nextval('s')",
    "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
    "ALTER TABLE child REPLICA IDENTITY DEFAULT; CLUSTER child USING by_b",
    "CREATE TEMPORARY TABLE mine (a int)",
    "ALTER TABLE parent ADD x int; ALTER TABLE parent DROP x",
    "REFRESH MATERIALIZED VIEW kept",
]


@pytest.fixture
async def made(empty, tmp_path):
    revisions = Revisions(
        tmp_path, env="from sqlalchemy import MetaData\nrun_env(MetaData(), include_object=lambda *_: False)"
    )
    statements = [*MADE.strip().rstrip(";").split(";\n"), "CREATE TABLE grand (a int NOT NULL)"]
    revisions.add("0001", "\n".join(f"op.execute({statement!r})" for statement in statements))
    await upgrade(empty, ini=revisions.ini)

    async def differs():
        return [(each.kind, each.name) for each in (await check(empty, ini=revisions.ini)).differences]

    return differs


async def test_what_is_equal_is_not_reported(made, look):
    for statement in ["SELECT 1", *EQUAL]:
        await look.execute(statement)
        assert await made() == [], statement


@pytest.mark.parametrize("statement", DIFFERENT)
async def test_what_differs_is_reported(made, look, statement):
    await look.execute(statement)
    assert await made() != []
