"""Which statements of a downgrade lose data: odd spellings of those that do, and what looks like them."""

from __future__ import annotations

import pytest

from dal.cli.db_losing import losses

LOSING = [
    "DROP TABLE t",
    "ALTER TABLE t\n    DROP COLUMN x",
    'ALTER TABLE IF EXISTS ONLY "app"."T" DROP x',
    "ALTER TABLE t ADD y int, DROP IF EXISTS x CASCADE",
    "ALTER TABLE t ALTER x TYPE int",
    "ALTER TABLE t ALTER COLUMN x SET DATA TYPE int USING 0",
    "ALTER TYPE t DROP ATTRIBUTE x",
    "WITH d AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM d",
    "/* why */ -- and how\n DROP\n TABLE t",
    "DO $$ BEGIN IF true THEN DROP TABLE t; END IF; END $$",
    "DO $x$ BEGIN EXECUTE format('DROP TABLE %I', 't'); END $x$",
    "DROP EXTENSION hstore CASCADE",
    "DROP DOMAIN d CASCADE",
    "DROP OWNED BY me",
    "drop foreign table x",
    "MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
    "SELECT ';', 1; TRUNCATE t",
    "UPDATE alembic_version_of_others SET x = 1",
]
HARMLESS = [
    "DROP INDEX CONCURRENTLY IF EXISTS i",
    "DROP VIEW v",
    "ALTER TABLE t DROP CONSTRAINT c",
    "ALTER TABLE t ALTER x DROP DEFAULT, ALTER y DROP NOT NULL",
    'ALTER TABLE t ADD "drop" int',
    "ALTER TABLE t ADD x int DEFAULT 1",
    "COMMENT ON TABLE t IS 'DROP TABLE x; DELETE'",
    "-- DROP TABLE t;\nSELECT 1",
    "INSERT INTO t VALUES ('; DROP TABLE t')",
    "DO $dal$ BEGIN PERFORM set_config('a', 'b', true); DROP INDEX i; END $dal$",
    "UPDATE alembic_version SET version_num='1' WHERE alembic_version.version_num = '2'",
    'DELETE FROM meta."alembic_version" WHERE true',
    "DROP TABLE alembic_version",
]


@pytest.mark.parametrize("statement", LOSING)
def test_what_loses_data_is_found(statement):
    assert len(losses(f"BEGIN;\n\n{statement};\n\nCOMMIT;\n", "alembic_version")) == 1


@pytest.mark.parametrize("statement", HARMLESS)
def test_what_loses_nothing_is_not(statement):
    assert losses(f"BEGIN;\n\n{statement};\n\nCOMMIT;\n", "alembic_version") == []
