"""What keeps everybody waiting and squawk has no rule for; and what only looks like it."""

from __future__ import annotations

import pytest

from tests.lint_project import FIRST, Project

LONG = [
    "CLUSTER t USING i",
    "VACUUM (FULL, ANALYZE) t",
    "REFRESH MATERIALIZED VIEW m",
    "ALTER TABLE t SET UNLOGGED",
    "ALTER TABLE t ALTER a SET DEFAULT 1, SET LOGGED",
    "ALTER TABLE t SET TABLESPACE x",
    "ALTER INDEX i SET TABLESPACE x",
    "ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b",
    "ALTER TABLE t SET ACCESS METHOD heap2",
    "ALTER TABLE p ATTACH PARTITION t FOR VALUES IN (1)",
    "ALTER TABLE t ADD COLUMN a int CHECK (a > 0)",
    "ALTER TABLE t ADD a serial",
    "ALTER DOMAIN d SET NOT NULL",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
]
SHORT = [
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "ALTER TABLE t ADD COLUMN serial int",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
    "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    "ALTER TABLE t SET (fillfactor = 70)",
    "ALTER TABLE t ALTER a SET STATISTICS 100",
    "UPDATE t SET a = 1 WHERE id = 3",
    "DELETE FROM t USING u WHERE t.id = u.id",
    "COMMENT ON TABLE t IS 'CLUSTER t; UPDATE t SET a = 1'",
    "CREATE TABLE n (id serial PRIMARY KEY, a int CHECK (a > 0)); UPDATE n SET a = 1",
    "CREATE TABLE n PARTITION OF p DEFAULT; ALTER TABLE p DETACH PARTITION n; ALTER TABLE p ATTACH PARTITION n DEFAULT",
    "VACUUM t",
]


def _found(tmp_path, sql):
    project = Project(tmp_path)
    project.revision("first", f"with op.get_context().autocommit_block():\n    op.execute({sql!r})")
    return [line for _, line, rule in project.found() if rule == "long-lock"]


@pytest.mark.parametrize("sql", LONG)
def test_a_long_lock_is_found(tmp_path, sql):
    assert _found(tmp_path, sql) == [FIRST + 1]


@pytest.mark.parametrize("sql", SHORT)
def test_a_short_one_is_not(tmp_path, sql):
    assert _found(tmp_path, sql) == []
